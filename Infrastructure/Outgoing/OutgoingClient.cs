using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Sends requests to the outside. There is no other way out of this service.</summary>
/// <remarks>
/// <para>Connects only where <see cref="AddressPolicy"/> permits, decided on the resolved addresses at each connect.
/// Redirects, proxies and cookies are never used, bodies never decompressed, HTTP/1.1 and 2 only.</para>
/// <para>One deadline covers everything; at most 16 KiB of headers and of the body what the request says are kept of a
/// response, and the rest is not read: the connection is closed instead.</para>
/// <para>Faults of the network and of the receiver are values. Only the caller's own token makes it throw.</para>
/// </remarks>
public sealed class OutgoingClient : IDisposable
{
    /// <summary>The name of the activity source whose client spans tell each request's host, status and error.</summary>
    public const string ActivitySourceName = "Bellhop.Outgoing";

    private const string UserAgent = "Bellhop";

    private static readonly ActivitySource Spans = new(ActivitySourceName);

    private readonly AddressPolicy _policy;
    private readonly TimeProvider _clock;
    private readonly SocketsHttpHandler _handler;
    private readonly HttpMessageInvoker _invoker;

    public OutgoingClient(AddressPolicy policy, TimeProvider clock)
        : this(policy, new Dialer(policy, clock), clock) { }

    internal OutgoingClient(AddressPolicy policy, Dialer dialer, TimeProvider clock)
    {
        _policy = policy;
        _clock = clock;
        _handler = CreateHandler(dialer);
        _invoker = new HttpMessageInvoker(_handler, disposeHandler: false);
    }

    /// <summary>Sends one request and tells what came of it.</summary>
    public async Task<OutgoingResponse> SendAsync(OutgoingRequest request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var phases = new PhaseClock(_clock);
        var (url, error) = _policy.CheckUrl(request.Url);
        using var span = Spans.StartActivity(request.Method.Method, ActivityKind.Client);
        using var message = new HttpRequestMessage(request.Method, url);
        error ??= Fill(message, request);

        var response = error is null
            ? await ExchangeAsync(message, request, phases, cancellationToken)
            : new OutgoingResponse { ErrorCode = error };

        Describe(span, request, url, response);
        return response with { Phases = phases.Stop() };
    }

    /// <summary>For a library that makes requests of its own: the same checks, redirects and proxies refused as ever.</summary>
    /// <remarks>Bodies are not capped. What may not be sent is an <see cref="HttpRequestException"/>.</remarks>
    public HttpClient ForLibrary(TimeSpan timeout) => new(new Gate(_policy, _handler)) { Timeout = timeout };

    public void Dispose()
    {
        _invoker.Dispose();
        _handler.Dispose();
    }

    private static SocketsHttpHandler CreateHandler(Dialer dialer) =>
        new()
        {
            ConnectCallback = dialer.ConnectAsync,
            ConnectTimeout = Dialer.ConnectTimeout,
            SslOptions = { CertificateChainPolicy = PeerTrust.NewPolicy() },
            PlaintextStreamFilter = MarkSecured,
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

    // Called when a connection is ready to carry requests; with TLS, after its handshake.
    private static ValueTask<Stream> MarkSecured(
        SocketsHttpPlaintextStreamFilterContext context,
        CancellationToken cancellationToken
    )
    {
        if (context.InitialRequestMessage.RequestUri!.Scheme == Uri.UriSchemeHttps)
        {
            PhaseClock.Of(context.InitialRequestMessage)?.Secured();
        }

        return ValueTask.FromResult(context.PlaintextStream);
    }

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
        OutgoingRequest request,
        PhaseClock phases,
        CancellationToken cancellationToken
    )
    {
        phases.RideOn(message);
        using var deadline = new CancellationTokenSource(request.Timeout, _clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        var result = new OutgoingResponse();
        var body = new CappedBody(request.MaxBodyBytes);
        try
        {
            using var response = await _invoker.SendAsync(message, linked.Token);
            phases.FirstByte();
            result = Received(response);
            await body.ReadAsync(response.Content, linked.Token);
        }
        catch (Exception exception)
            when (exception is HttpRequestException or IOException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var error =
                deadline.IsCancellationRequested ? OutgoingErrors.Timeout
                : result.Status is null ? OutgoingErrors.Of(exception)
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

    /// <summary>Looks at each URL before the shared handler gets it, as <see cref="SendAsync"/> does.</summary>
    private sealed class Gate(AddressPolicy policy, SocketsHttpHandler handler) : HttpMessageHandler
    {
        private readonly HttpMessageInvoker _invoker = new(handler, disposeHandler: false);

        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request,
            CancellationToken cancellationToken
        ) =>
            policy.CheckUrl(request.RequestUri?.OriginalString).ErrorCode is { } error
                ? throw new HttpRequestException(error, new DialException(error))
                : _invoker.SendAsync(request, cancellationToken);

        protected override void Dispose(bool disposing)
        {
            _invoker.Dispose();
            base.Dispose(disposing);
        }
    }
}
