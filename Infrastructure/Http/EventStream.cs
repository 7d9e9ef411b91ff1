using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Bellhop.Infrastructure.Auth;
using Microsoft.AspNetCore.Http.Features;

namespace Bellhop.Infrastructure.Http;

/// <summary>One event of a stream.</summary>
/// <param name="Id">What a client sends back as <c>Last-Event-ID</c> when it comes again; no line breaks.</param>
/// <param name="Name">The kind of event.</param>
/// <param name="Data">One line of JSON.</param>
public sealed record StreamEvent(string Id, string Name, ReadOnlyMemory<byte> Data);

/// <summary>An event of a route's stream, as its description shows it.</summary>
public sealed record ShownEvent(string Name, string Id);

public static class EventStreamRoutes
{
    /// <summary>The route answers a stream of events, such as one of this name with this id, the data of which is the type's example.</summary>
    public static RouteHandlerBuilder ProducesEvents<T>(this RouteHandlerBuilder builder, string name, string id) =>
        builder.Produces<T>(StatusCodes.Status200OK, EventStream.ContentType).WithMetadata(new ShownEvent(name, id));
}

/// <summary>Answers with server-sent events (HTML living standard, section 9.2) for as long as the source has some.</summary>
/// <param name="events">
/// Null where nothing has happened: after <see cref="Silence"/> at the latest, and at once when the service stops, or it ends then.
/// It outlives the scope of the request, and uses nothing that is disposed with it. It is given the request's own token.
/// </param>
/// <remarks>
/// A comment is sent while nothing happens, so that proxies keep the connection. A reader that takes nothing for ten seconds is
/// dropped with what Kestrel buffers for it (64 KiB), and so costs nobody else. After an hour, when the service stops, and when what
/// proved the caller holds no more, the stream ends with an event <c>end</c>; a client comes again and goes on behind the last id
/// it saw.
/// </remarks>
public sealed class EventStream(IAsyncEnumerable<StreamEvent?> events) : IResult
{
    public const string ContentType = "text/event-stream";

    /// <summary>How long nothing is sent at most.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan MaxAge = TimeSpan.FromHours(1);

    /// <summary>The id of the last event the client saw, if it was here before.</summary>
    public static string? LastId(HttpRequest request) =>
        request.Headers["Last-Event-ID"] is [{ Length: > 0 and <= 255 } id] ? id : null;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.ContentType = ContentType;
        httpContext.Response.Headers["X-Accel-Buffering"] = "no";
        if (HeadRequests.WasHead(httpContext))
        {
            return;
        }

        var clock = httpContext.RequestServices.GetRequiredService<TimeProvider>();
        var proof = StandingProof.Of(httpContext);
        var stopping = httpContext.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        // for an hour, thousands of times: what the request was put together from is not kept for as long as its stream
        if (httpContext.Features.Get<IServiceProvidersFeature>() is IAsyncDisposable scope)
        {
            await scope.DisposeAsync();
        }

        var began = clock.GetTimestamp();
        var writer = httpContext.Response.BodyWriter;
        try
        {
            // tells the client how soon to come again, and opens the stream before anything happens
            writer.Write("retry: 1000\n\n"u8);
            await SendAsync(httpContext, clock);
            await foreach (var one in events.WithCancellation(httpContext.RequestAborted))
            {
                if (
                    stopping.IsCancellationRequested
                    || clock.GetElapsedTime(began) > MaxAge
                    || !await proof.HoldsAsync(httpContext.RequestAborted)
                )
                {
                    break; // whatever it is, the client is told it when it comes again
                }

                Write(writer, one);
                await SendAsync(httpContext, clock);
            }

            writer.Write("event: end\ndata: {}\n\n"u8);
            await SendAsync(httpContext, clock);
        }
        catch (OperationCanceledException gone)
            when (gone.CancellationToken == httpContext.RequestAborted
                || httpContext.RequestAborted.IsCancellationRequested
            )
        {
            // there is nobody to tell
        }
    }

    private static void Write(PipeWriter writer, StreamEvent? one)
    {
        if (one is null)
        {
            writer.Write(":\n\n"u8);
            return;
        }

        Encoding.UTF8.GetBytes($"id: {one.Id}\nevent: {one.Name}\ndata: ", writer);
        writer.Write(one.Data.Span);
        writer.Write("\n\n"u8);
    }

    private static async Task SendAsync(HttpContext http, TimeProvider clock)
    {
        try
        {
            await http.Response.BodyWriter.FlushAsync(http.RequestAborted).AsTask().WaitAsync(Patience, clock);
        }
        catch (TimeoutException)
        {
            http.Abort();
            throw new OperationCanceledException(http.RequestAborted);
        }
    }
}
