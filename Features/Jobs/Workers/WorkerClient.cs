using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>What the service said to a worker.</summary>
/// <param name="Status">Null: it said nothing.</param>
/// <param name="Answer">Of a call that went well.</param>
/// <param name="RetryAfter">When it wants to be asked again.</param>
/// <param name="Fault">Why there is no answer.</param>
internal sealed record Said<T>(HttpStatusCode? Status, T? Answer, TimeSpan? RetryAfter, Problem? Fault)
    where T : class
{
    /// <summary>The same call would be refused again.</summary>
    public bool IsRefusal =>
        (int?)Status is >= 400 and < 500
        && Status is not (HttpStatusCode.RequestTimeout or HttpStatusCode.Conflict or HttpStatusCode.TooManyRequests);
}

/// <param name="NextSeq">The number of the first line that is not stored yet.</param>
internal sealed record NextLine(int NextSeq);

/// <summary>The calls of a remote worker, from the worker's side.</summary>
/// <remarks>Faults are values; what it does not know in an answer it passes over.</remarks>
internal sealed class WorkerClient : IDisposable
{
    private static readonly JsonSerializerOptions Tolerant = new(JsonRules.Options)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip,
    };

    private readonly OutgoingClient _outgoing;
    private readonly HttpClient _http;
    private readonly TimeProvider _clock;

    /// <param name="service">Wherever the operator says, also in a private network.</param>
    /// <param name="key">An API key that may work.</param>
    /// <param name="clock">Of timeouts, and of a <c>Retry-After</c> that is a date.</param>
    public WorkerClient(Uri service, string key, TimeProvider clock)
    {
        _clock = clock;
        _outgoing = new OutgoingClient(
            new AddressPolicy([IPNetwork.Parse("0.0.0.0/0"), IPNetwork.Parse("::/0")]),
            clock
        );
        _http = _outgoing.ForLibrary(Timeout.InfiniteTimeSpan);
        _http.BaseAddress = new Uri($"{service.AbsoluteUri.TrimEnd('/')}/v1/jobs/");
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    public Task<Said<ClaimView>> ClaimAsync(ClaimDocument claim, CancellationToken cancellationToken) =>
        SendAsync<ClaimView>("claim", claim, TimeSpan.FromSeconds(claim.WaitSeconds + 15), cancellationToken);

    public Task<Said<HeartbeatView>> BeatAsync(HeartbeatDocument beat, CancellationToken cancellationToken) =>
        SendAsync<HeartbeatView>("heartbeat", beat, TimeSpan.FromSeconds(3), cancellationToken);

    public Task<Said<FinishView>> FinishAsync(EndDocument end, CancellationToken cancellationToken) =>
        SendAsync<FinishView>("finish", new FinishDocument([end]), TimeSpan.FromSeconds(10), cancellationToken);

    public Task<Said<NextLine>> LogAsync(Guid id, LogDocument log, CancellationToken cancellationToken) =>
        SendAsync<NextLine>($"{id}/logs", log, TimeSpan.FromSeconds(10), cancellationToken);

    public void Dispose()
    {
        _http.Dispose();
        _outgoing.Dispose();
    }

    private async Task<Said<T>> SendAsync<T>(
        string path,
        object body,
        TimeSpan patience,
        CancellationToken cancellationToken
    )
        where T : class
    {
        using var deadline = new CancellationTokenSource(patience, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        HttpStatusCode? status = null;
        try
        {
            using var content = JsonContent.Create(body, body.GetType(), options: JsonRules.Options);
            using var response = await _http.PostAsync(new Uri(path, UriKind.Relative), content, either.Token);
            status = response.StatusCode;
            return response.IsSuccessStatusCode
                ? new Said<T>(status, await response.Content.ReadFromJsonAsync<T>(Tolerant, either.Token), null, null)
                : new Said<T>(status, null, PauseOf(response), await FaultOfAsync(response, either.Token));
        }
        catch (Exception exception)
            when (exception is HttpRequestException or IOException or JsonException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var reason = deadline.IsCancellationRequested
                ? $"nothing within {patience.TotalSeconds:0} s"
                : exception.Message;
            return new Said<T>(
                status is null ? null : HttpStatusCode.BadGateway,
                null,
                null,
                new ProblemCode(503, "no_answer", "").Because(reason)
            );
        }
    }

    private TimeSpan? PauseOf(HttpResponseMessage response) =>
        response.Headers.RetryAfter is not { } after ? null
        : (after.Delta ?? (after.Date - _clock.GetUtcNow())) is { } pause && pause > TimeSpan.Zero ? pause
        : TimeSpan.Zero;

    private static async Task<Problem> FaultOfAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        try
        {
            var body = await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
            return new ProblemCode(status, body.GetProperty("code").GetString()!, "").Because(
                body.GetProperty("detail").GetString()!
            );
        }
        catch (Exception exception)
            when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return new ProblemCode(status, "refused", "").Because($"The answer is {status}.");
        }
    }
}
