using System.Buffers;
using System.Text;

namespace Bellhop.Infrastructure.Http;

/// <summary>One event of a stream.</summary>
/// <param name="Id">What a client sends back as <c>Last-Event-ID</c> when it comes again; no line breaks.</param>
/// <param name="Name">The kind of event.</param>
/// <param name="Data">One line of JSON.</param>
public sealed record StreamEvent(string Id, string Name, ReadOnlyMemory<byte> Data);

/// <summary>Answers with server-sent events (HTML living standard, section 9.2) for as long as the source has some.</summary>
/// <remarks>
/// A comment is sent while nothing happens, so that proxies keep the connection. A reader that takes nothing for ten seconds is
/// dropped with what Kestrel buffers for it (64 KiB), and so costs nobody else. After an hour, and when the service stops, the
/// stream ends with an event <c>end</c>; a client comes again and goes on behind the last id it saw.
/// </remarks>
public sealed class EventStream(IAsyncEnumerable<StreamEvent> events) : IResult
{
    public const string ContentType = "text/event-stream";

    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan MaxAge = TimeSpan.FromHours(1);

    /// <summary>The id of the last event the client saw, if it was here before.</summary>
    public static string? LastId(HttpRequest request) =>
        request.Headers["Last-Event-ID"] is [{ Length: > 0 and <= 255 } id] ? id : null;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var services = httpContext.RequestServices;
        var clock = services.GetRequiredService<TimeProvider>();
        var stopping = services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        var response = httpContext.Response;
        response.ContentType = ContentType;
        response.Headers["X-Accel-Buffering"] = "no";
        if (HeadRequests.WasHead(httpContext))
        {
            return;
        }

        using var age = new CancellationTokenSource(MaxAge, clock);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(
            httpContext.RequestAborted,
            stopping,
            age.Token
        );
        try
        {
            // tells the client how soon to come again, and opens the stream before anything happens
            await SendAsync(httpContext, "retry: 1000\n\n"u8.ToArray(), clock);
            await CopyAsync(httpContext, clock, over.Token);
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // the client went away, or it is to come again
        }

        if (!httpContext.RequestAborted.IsCancellationRequested)
        {
            await SendAsync(httpContext, "event: end\ndata: {}\n\n"u8.ToArray(), clock);
        }
    }

    private async Task CopyAsync(HttpContext http, TimeProvider clock, CancellationToken over)
    {
        await using var source = events.GetAsyncEnumerator(over);
        var next = source.MoveNextAsync().AsTask();
        try
        {
            while (await IsThereMoreAsync(http, next, clock, over))
            {
                await SendAsync(http, Format(source.Current), clock);
                next = source.MoveNextAsync().AsTask();
            }
        }
        finally
        {
            // a source that is still at work cannot be let go of; it has the same token
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<bool> IsThereMoreAsync(
        HttpContext http,
        Task<bool> next,
        TimeProvider clock,
        CancellationToken over
    )
    {
        while (true)
        {
            try
            {
                return await next.WaitAsync(Silence, clock, over);
            }
            catch (TimeoutException)
            {
                await SendAsync(http, ":\n\n"u8.ToArray(), clock);
            }
        }
    }

    private static byte[] Format(StreamEvent one)
    {
        var buffer = new ArrayBufferWriter<byte>(one.Data.Length + 128);
        Encoding.UTF8.GetBytes($"id: {one.Id}\nevent: {one.Name}\ndata: ", buffer);
        buffer.Write(one.Data.Span);
        buffer.Write("\n\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private static async Task SendAsync(HttpContext http, byte[] bytes, TimeProvider clock)
    {
        try
        {
            await http.Response.Body.WriteAsync(bytes, http.RequestAborted).AsTask().WaitAsync(Patience, clock);
            await http.Response.Body.FlushAsync(http.RequestAborted).WaitAsync(Patience, clock);
        }
        catch (TimeoutException)
        {
            http.Abort();
            throw new OperationCanceledException(http.RequestAborted);
        }
    }
}
