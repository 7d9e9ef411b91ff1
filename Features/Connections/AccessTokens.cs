using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections;

/// <summary>Who asks for a token, and for what. Its text form shows nothing of it.</summary>
internal sealed record TokenGrant(string TokenUrl, string ClientId, string? Scope, string? Audience, string Secret)
{
    public override string ToString() => "client credentials";
}

/// <summary>A token, or why there is none. Its text form never shows the token.</summary>
/// <param name="Error">A sentence that may be shown; null where there is a token.</param>
/// <param name="Response">What the token endpoint answered, without its body.</param>
internal sealed record TokenResult(string? Token, string? Error, OutgoingResponse? Response)
{
    public override string ToString() => Error ?? "a token";
}

/// <summary>Fetches and keeps one OAuth 2.0 token (client credentials, RFC 6749 section 4.4).</summary>
/// <remarks>
/// However many ask at once, one request goes out, and all are told what came of it. A token is used until a tenth of its time is
/// left, a minute at most; five minutes where the endpoint does not say how long it lasts. The client shows itself by Basic
/// (section 2.3.1).
/// </remarks>
internal sealed class AccessTokens(OutgoingClient client, TimeProvider clock)
{
    private const int MaxBodyBytes = 64 * 1024;

    private static readonly TimeSpan UsualLifetime = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan MaxMargin = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();

    // all three written under the lock
    private Held? _held;
    private TokenGrant? _asking;
    private Task<TokenResult>? _asked;

    /// <param name="rejected">A token that the receiver did not take: another one is fetched, unless somebody has already.</param>
    public Task<TokenResult> GetAsync(TokenGrant grant, string? rejected, CancellationToken cancellationToken)
    {
        Task<TokenResult> asked;
        lock (_lock)
        {
            if (_held is { } held && held.Grant == grant && held.Token != rejected && IsFresh(held))
            {
                return Task.FromResult(new TokenResult(held.Token, null, null));
            }

            if (_asked is not { IsCompleted: false } || _asking != grant)
            {
                _asking = grant;
                // for all who wait, so it ends with none of them
                _asked = Task.Run(() => FetchAsync(grant), CancellationToken.None);
            }

            asked = _asked;
        }

        return asked.WaitAsync(cancellationToken);
    }

    private bool IsFresh(Held held) => clock.GetElapsedTime(held.AskedAt) < held.GoodFor;

    private async Task<TokenResult> FetchAsync(TokenGrant grant)
    {
        var askedAt = clock.GetTimestamp();
        var response = await client.SendAsync(Request(grant), CancellationToken.None);
        if (!response.IsSuccessStatus)
        {
            return new TokenResult(null, Explain(response), response);
        }

        if (Read(response.Body) is not var (token, lifetime))
        {
            return new TokenResult(
                null,
                "The token endpoint answered something that is no bearer token (RFC 6749 section 5.1).",
                response
            );
        }

        var margin = lifetime / 10;
        lock (_lock)
        {
            _held = new Held(grant, token, askedAt, lifetime - (margin < MaxMargin ? margin : MaxMargin));
        }

        return new TokenResult(token, null, response);
    }

    private static OutgoingRequest Request(TokenGrant grant)
    {
        var form = $"grant_type=client_credentials{Field("scope", grant.Scope)}{Field("audience", grant.Audience)}";
        var credentials = $"{WebUtility.UrlEncode(grant.ClientId)}:{WebUtility.UrlEncode(grant.Secret)}";
        return new OutgoingRequest(HttpMethod.Post, grant.TokenUrl)
        {
            Headers =
            [
                new("Authorization", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials))),
                new("Content-Type", "application/x-www-form-urlencoded"),
                new("Accept", "application/json"),
            ],
            Body = Encoding.UTF8.GetBytes(form),
            MaxBodyBytes = MaxBodyBytes,
        };
    }

    private static string Field(string name, string? value) =>
        value is null ? "" : $"&{name}={WebUtility.UrlEncode(value)}";

    private static (string Token, TimeSpan Lifetime)? Read(byte[] body)
    {
        try
        {
            using var answer = JsonDocument.Parse(body);
            var members = answer.RootElement;
            return
                members.ValueKind == JsonValueKind.Object
                && Text(members, "access_token") is { Length: > 0 } token
                && OutgoingHeaders.Check("Authorization", "Bearer " + token) is null
                && (Text(members, "token_type") ?? "bearer").Equals("bearer", StringComparison.OrdinalIgnoreCase)
                ? (token, LifetimeOf(members))
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // some write the number as text
    private static TimeSpan LifetimeOf(JsonElement members) =>
        Text(members, "expires_in") is { } text
        && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : UsualLifetime;

    private static string? Text(JsonElement members, string name) =>
        members.TryGetProperty(name, out var member)
            ? member.ValueKind switch
            {
                JsonValueKind.String => member.GetString(),
                JsonValueKind.Number => member.GetRawText(),
                _ => null,
            }
            : null;

    /// <summary>Its own error code may be shown, if it is one of RFC 6749 section 5.2; more of the answer may not.</summary>
    private static string Explain(OutgoingResponse response)
    {
        string[] known =
        [
            "invalid_request",
            "invalid_client",
            "invalid_grant",
            "unauthorized_client",
            "unsupported_grant_type",
            "invalid_scope",
        ];
        var code = Array.Find(known, one => Encoding.UTF8.GetString(response.Body).Contains($"\"{one}\""));
        return response.Status is null
            ? $"The token endpoint was not reached: {Reasons.Of(response.ErrorCode!)}"
            : $"The token endpoint answered {response.Status}{(code is null ? "" : $" {code}")}.";
    }

    private sealed record Held(TokenGrant Grant, string Token, long AskedAt, TimeSpan GoodFor)
    {
        public override string ToString() => "a token";
    }
}
