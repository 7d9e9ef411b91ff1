using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Sends requests to the outside. There is no other way out of this service.</summary>
/// <remarks>
/// <para>Connects only where <see cref="AddressPolicy"/> permits, decided on the resolved addresses at each connect.
/// Redirects, proxies and cookies are never used, bodies never decompressed, HTTP/1.1 and 2 only.</para>
/// <para>One deadline covers everything; at most 16 KiB of headers and 16 KiB of body are kept of a response, and
/// the rest is not read: the connection is closed instead.</para>
/// <para>Faults of the network and of the receiver are values. Only the caller's own token makes it throw.</para>
/// </remarks>
public sealed class OutgoingClient : IDisposable
{
    /// <summary>The name of the activity source whose client spans tell each request's host, status and error.</summary>
    public const string ActivitySourceName = "Bellhop.Outgoing";

    /// <summary>How much of a response's body is kept, in bytes.</summary>
    public const int MaxBodyBytes = 16 * 1024;

    private const string UserAgent = "Bellhop";

    private static readonly ActivitySource Spans = new(ActivitySourceName);

    private readonly AddressPolicy _policy;
    private readonly TimeProvider _clock;
    private readonly HttpMessageInvoker _invoker;

    public OutgoingClient(AddressPolicy policy, TimeProvider clock)
    {
        _policy = policy;
        _clock = clock;
        _invoker = new HttpMessageInvoker(CreateHandler(new Dialer(policy, clock)));
    }

    /// <summary>Sends one request and tells what came of it.</summary>
    public async Task<OutgoingResponse> SendAsync(OutgoingRequest request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var started = _clock.GetTimestamp();
        var (url, error) = _policy.CheckUrl(request.Url);
        using var span = Spans.StartActivity(request.Method.Method, ActivityKind.Client);
        using var message = new HttpRequestMessage(request.Method, url);
        error ??= Fill(message, request);

        var response = error is null
            ? await ExchangeAsync(message, request.Timeout, cancellationToken)
            : new OutgoingResponse { ErrorCode = error };

        Describe(span, request, url, response);
        return response with { Duration = _clock.GetElapsedTime(started) };
    }

    public void Dispose() => _invoker.Dispose();

    private static SocketsHttpHandler CreateHandler(Dialer dialer) =>
        new()
        {
            ConnectCallback = dialer.ConnectAsync,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            // The check is made at connect, so a pooled connection must not outlive a change of DNS for long.
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
            MaxConnectionsPerServer = 64,
            MaxResponseHeadersLength = 16,
            // Zero: a body that is longer than what is kept costs the connection, not a megabyte of reading.
            MaxResponseDrainSize = 0,
            // The smallest window HTTP/2 has: a stream buffers no more than this ahead of the reader.
            InitialHttp2StreamWindowSize = 65_535,
            // Null keeps the framework and its instrumentation from adding trace and baggage headers to each request.
            ActivityHeadersPropagator = null,
        };

    private static string? Fill(HttpRequestMessage message, OutgoingRequest request)
    {
        message.Version = HttpVersion.Version20;
        message.VersionPolicy = HttpVersionPolicy.RequestVersionOrLower;
        message.Content = request.Body is { } body ? new ReadOnlyMemoryContent(body) : null;
        foreach (var (name, value) in request.Headers)
        {
            if (OutgoingHeaders.Check(name, value) is { } error)
            {
                return error;
            }

            // Headers of the content (Content-Type, …) are refused by the first and taken by the second.
            if (
                !message.Headers.TryAddWithoutValidation(name, value)
                && message.Content?.Headers.TryAddWithoutValidation(name, value) is not true
            )
            {
                return OutgoingErrors.HeaderNotAllowed;
            }
        }

        AddUnlessSet(message.Headers, "User-Agent", UserAgent);
        if (request.PropagateTrace && Activity.Current is { IdFormat: ActivityIdFormat.W3C, Id: { } traceParent })
        {
            AddUnlessSet(message.Headers, "traceparent", traceParent);
        }

        return null;
    }

    private static void AddUnlessSet(HttpRequestHeaders headers, string name, string value)
    {
        if (!headers.NonValidated.Contains(name))
        {
            headers.TryAddWithoutValidation(name, value);
        }
    }

    private async Task<OutgoingResponse> ExchangeAsync(
        HttpRequestMessage message,
        TimeSpan timeout,
        CancellationToken cancellationToken
    )
    {
        using var deadline = new CancellationTokenSource(timeout, _clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        var result = new OutgoingResponse();
        var body = new CappedBody(MaxBodyBytes);
        try
        {
            using var response = await _invoker.SendAsync(message, linked.Token);
            result = Received(response);
            await body.ReadAsync(response.Content, linked.Token);
        }
        catch (Exception exception)
            when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var error =
                deadline.IsCancellationRequested ? OutgoingErrors.Timeout
                : result.Status is null ? CodeOf(exception)
                : OutgoingErrors.BodyReadFailed;
            result = result with { ErrorCode = result.ErrorCode ?? error };
        }

        return result with
        {
            Body = body.ToArray(),
            BodyTruncated = body.Truncated,
        };
    }

    private OutgoingResponse Received(HttpResponseMessage response)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, values) in response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated))
        {
            headers[name] = string.Join(", ", values);
        }

        return new OutgoingResponse
        {
            Status = (int)response.StatusCode,
            ErrorCode = (int)response.StatusCode is >= 300 and <= 399 ? OutgoingErrors.RedirectNotFollowed : null,
            Headers = headers,
            RetryAfterSeconds = headers.TryGetValue("Retry-After", out var text) ? RetryAfter(text) : null,
        };
    }

    private int? RetryAfter(string text)
    {
        if (!RetryConditionHeaderValue.TryParse(text, out var value))
        {
            return null;
        }

        var wait = value.Delta ?? value.Date!.Value - _clock.GetUtcNow();
        return (int)Math.Clamp(Math.Ceiling(wait.TotalSeconds), 0, int.MaxValue);
    }

    private static string CodeOf(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is DialException dial)
            {
                return dial.Code;
            }
        }

        // Neither the caller's token nor the deadline: the handler's own limit on connecting.
        if (exception is OperationCanceledException)
        {
            return OutgoingErrors.ConnectTimeout;
        }

        return (exception as HttpRequestException)?.HttpRequestError switch
        {
            HttpRequestError.ConnectionError => OutgoingErrors.ConnectFailed,
            HttpRequestError.SecureConnectionError => OutgoingErrors.TlsFailed,
            HttpRequestError.InvalidResponse
            or HttpRequestError.HttpProtocolError
            or HttpRequestError.VersionNegotiationError
            or HttpRequestError.ConfigurationLimitExceeded => OutgoingErrors.ResponseInvalid,
            _ => OutgoingErrors.ConnectionLost,
        };
    }

    // The host and nothing more of the URL: paths and queries of webhooks are credentials.
    private static void Describe(Activity? span, OutgoingRequest request, Uri? url, OutgoingResponse response)
    {
        span?.SetTag("http.request.method", request.Method.Method)
            .SetTag("server.address", url?.IdnHost)
            .SetTag("server.port", url?.Port)
            .SetTag("http.response.status_code", response.Status)
            .SetTag("error.type", response.ErrorCode)
            .SetStatus(response.IsSuccessStatus ? ActivityStatusCode.Unset : ActivityStatusCode.Error);
    }
}
