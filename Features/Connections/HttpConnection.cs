using System.Text;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections;

/// <summary>A URL within a connection, or why it is none.</summary>
/// <param name="Error">A sentence that says what would be right; null where there is a URL.</param>
public readonly record struct ResolvedUrl(Uri? Url, string? Error);

/// <summary>Sends HTTP requests through a connection: with its secret, to its hosts, at its rate.</summary>
/// <remarks>
/// The secret goes to the host of <c>base_url</c> and to <c>allowed_hosts</c>, and nothing else is sent anywhere else. It takes the
/// place of a header of the same name. An OAuth 2.0 token that is not taken (401) is renewed once, and the request sent again.
/// </remarks>
public sealed class HttpConnection
{
    private readonly OpenConnection _connection;
    private readonly OutgoingClient _client;
    private readonly HttpState _state;
    private readonly HttpConfig _config;
    private readonly Uri _base;
    private readonly List<string> _credentials = [];

    internal HttpConnection(OpenConnection connection, OutgoingClient client, HttpState state)
    {
        (_connection, _client, _state) = (connection, client, state);
        _config = connection.Config switch
        {
            HttpConfig http => http,
            LlmConfig llm => new HttpConfig(
                llm.BaseUrl,
                connection.Secret is null ? null : new HttpAuth(HttpAuth.Bearer),
                null,
                null
            ),
            _ => throw new ConnectionKindException(connection, ConnectionKind.Http),
        };
        _base = new Uri(_config.BaseUrl);
    }

    public string Name => _connection.Name;

    public Guid Id => _connection.Id;

    public Uri BaseUrl => _base;

    internal HttpConfig Config => _config;

    /// <summary>What its requests have carried so far that nobody else may see: an answer may well repeat it.</summary>
    internal IReadOnlyList<string> Credentials => _credentials;

    /// <summary>
    /// The URL of a path, which is appended to that of <c>base_url</c> and may carry a query; a whole URL too, if it is on one of the
    /// connection's hosts.
    /// </summary>
    public ResolvedUrl Resolve(string path)
    {
        if (path.Any(character => character is <= ' ' or > '~' or '\\' or '#'))
        {
            return new ResolvedUrl(
                null,
                "A path holds printable ASCII without spaces, \\ and #: percent-encode the rest."
            );
        }

        var isWhole = path.Contains("://", StringComparison.Ordinal) && !path.StartsWith('/');
        var text = isWhole ? path : $"{_base.GetLeftPart(UriPartial.Path).TrimEnd('/')}/{path.TrimStart('/')}";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || !IsOwn(url))
        {
            return new ResolvedUrl(null, Reasons.Of(ConnectionErrors.HostNotOfConnection));
        }

        // dots lead out of the path, however they are spelled
        return
            isWhole
            || (
                url.AbsolutePath.StartsWith(_base.AbsolutePath.TrimEnd('/') + "/", StringComparison.Ordinal)
                && !LeadsUp(url.AbsolutePath)
            )
            ? new ResolvedUrl(url, null)
            : new ResolvedUrl(null, "The path leads out of base_url: leave .. out.");
    }

    /// <summary>Takes one request out of what the connection's rate allows, in this process; true where it has none.</summary>
    /// <param name="wait">How long until the next one is allowed.</param>
    public bool TryTake(out TimeSpan wait)
    {
        wait = TimeSpan.Zero;
        return _config.Rate is not { } rate || _state.TryTake(rate, out wait);
    }

    /// <summary>Sends a request with the connection's secret. Does not look at its rate.</summary>
    /// <remarks>
    /// Beside the codes of <see cref="OutgoingErrors"/>, those of <see cref="ConnectionErrors"/>: then it was not sent. Fetching a token
    /// takes 15 s at most, beside the request's own time.
    /// </remarks>
    public async Task<OutgoingResponse> SendAsync(OutgoingRequest request, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(request.Url, UriKind.Absolute, out var url) || !IsOwn(url))
        {
            return new OutgoingResponse { ErrorCode = ConnectionErrors.HostNotOfConnection };
        }

        if (_config.Auth is not { } auth)
        {
            return await _client.SendAsync(request, cancellationToken);
        }

        if (_connection.Secret is not { } secret)
        {
            return new OutgoingResponse { ErrorCode = ConnectionErrors.SecretMissing };
        }

        return auth.Type switch
        {
            HttpAuth.Header => await SendAsync(request, auth.Name!, secret, cancellationToken),
            HttpAuth.Basic => await SendAsync(request, "Authorization", Basic(auth.User!, secret), cancellationToken),
            HttpAuth.OAuth2 => await SendWithTokenAsync(request, cancellationToken),
            _ => await SendAsync(request, "Authorization", "Bearer " + secret, cancellationToken),
        };
    }

    /// <summary>The token that requests carry now.</summary>
    internal Task<TokenResult> GetTokenAsync(string? rejected, CancellationToken cancellationToken)
    {
        var auth = _config.Auth!;
        var grant = new TokenGrant(auth.TokenUrl!, auth.ClientId!, auth.Scope, auth.Audience, _connection.Secret!);
        return _state.Tokens.GetAsync(grant, rejected, cancellationToken);
    }

    public override string ToString() => _connection.ToString();

    private async Task<OutgoingResponse> SendWithTokenAsync(
        OutgoingRequest request,
        CancellationToken cancellationToken
    )
    {
        var first = await GetTokenAsync(null, cancellationToken);
        if (first.Token is null)
        {
            return NoToken(first);
        }

        var response = await SendAsync(request, "Authorization", "Bearer " + first.Token, cancellationToken);
        if (response.Status != StatusCodes.Status401Unauthorized)
        {
            return response;
        }

        var second = await GetTokenAsync(first.Token, cancellationToken);
        return second.Token is null
            ? NoToken(second)
            : await SendAsync(request, "Authorization", "Bearer " + second.Token, cancellationToken);
    }

    private static OutgoingResponse NoToken(TokenResult result) =>
        new() { ErrorCode = ConnectionErrors.TokenFailed, RetryAfterSeconds = result.Response?.RetryAfterSeconds };

    private Task<OutgoingResponse> SendAsync(
        OutgoingRequest request,
        string header,
        string value,
        CancellationToken cancellationToken
    )
    {
        _credentials.Add(_connection.Secret!);
        if (value != _connection.Secret)
        {
            _credentials.Add(value[(value.IndexOf(' ', StringComparison.Ordinal) + 1)..]); // without the scheme
        }

        return _client.SendAsync(
            request with
            {
                Headers =
                [
                    .. request.Headers.Where(one => !one.Key.Equals(header, StringComparison.OrdinalIgnoreCase)),
                    new(header, value),
                ],
            },
            cancellationToken
        );
    }

    private bool IsOwn(Uri url) =>
        (url.Scheme == _base.Scheme && url.Port == _base.Port && IsSame(url, _base.IdnHost))
        // one who knows only the name of a host means https on its usual port
        || (
            url.Scheme == Uri.UriSchemeHttps
            && url.IsDefaultPort
            && _config.AllowedHosts?.Any(host => IsSame(url, host)) is true
        );

    private static bool IsSame(Uri url, string host) =>
        url.UserInfo.Length == 0
        && url.IdnHost.TrimEnd('.').Equals(host.TrimEnd('.'), StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether a receiver that decodes once or twice, takes \ for / or leaves parameters out would see <c>..</c>.</summary>
    private static bool LeadsUp(string path) =>
        Uri.UnescapeDataString(Uri.UnescapeDataString(path))
            .Split('/', '\\')
            .Any(segment => segment.Split(';')[0] == "..");

    private static string Basic(string user, string password) =>
        "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"));
}
