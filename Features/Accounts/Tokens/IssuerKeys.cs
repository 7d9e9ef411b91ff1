using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Text.Json;
using Bellhop.Infrastructure.Outgoing;
using Microsoft.IdentityModel.Tokens;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>The keys of other issuers, fetched when they are first needed and again every hour.</summary>
/// <remarks>
/// An id that is not known has them fetched again, once a minute at most for each issuer; however many ask at once, one request goes
/// out. While an issuer cannot be reached its known keys go on being believed, for a day.
/// </remarks>
internal sealed partial class IssuerKeys(OutgoingClient client, TimeProvider clock, ILogger<IssuerKeys> logger)
{
    private const int Capacity = 1_000;
    private const int MaxBodyBytes = 256 * 1024;
    private static readonly TimeSpan Freshness = TimeSpan.FromHours(1);
    private static readonly TimeSpan Belief = TimeSpan.FromDays(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    // by issuer and where its keys are; written by any request that finds none
    private readonly ConcurrentDictionary<(string Issuer, string? JwksUrl), Source> _sources = new();

    /// <summary>The key of that id; of a set of one key also where no id is given. Null: there is none.</summary>
    /// <param name="rememberedOnly">Nobody is to be asked about an id that is seen for the first time.</param>
    public async ValueTask<JsonWebKey?> FindAsync(
        string issuer,
        string? jwksUrl,
        string? kid,
        bool rememberedOnly,
        CancellationToken cancellationToken
    )
    {
        if (_sources.Count >= Capacity)
        {
            _sources.Clear();
        }

        var source = _sources.GetOrAdd((issuer, jwksUrl), _ => new Source());
        var found = source.Find(kid);
        var isFresh = source.FetchedAt is { } fetchedAt && clock.GetElapsedTime(fetchedAt) < Freshness;
        if ((found is null && !rememberedOnly) || (found is not null && !isFresh))
        {
            await RefreshAsync(source, issuer, jwksUrl, cancellationToken);
            found = source.Find(kid);
        }

        return source.FetchedAt is { } at && clock.GetElapsedTime(at) < Belief ? found : null;
    }

    private async Task RefreshAsync(Source source, string issuer, string? jwksUrl, CancellationToken cancellationToken)
    {
        Task fetching;
        lock (source)
        {
            if (source.Fetching is { IsCompleted: false } running)
            {
                fetching = running;
            }
            else if (source.TriedAt is { } triedAt && clock.GetElapsedTime(triedAt) < Pause)
            {
                return;
            }
            else
            {
                source.TriedAt = clock.GetTimestamp();
                // for all who wait, so it ends with none of them
                fetching = source.Fetching = Task.Run(
                    () => FetchAsync(source, issuer, jwksUrl),
                    CancellationToken.None
                );
            }
        }

        await fetching.WaitAsync(cancellationToken);
    }

    private async Task FetchAsync(Source source, string issuer, string? jwksUrl)
    {
        var since = clock.GetTimestamp();
        var (url, why) = jwksUrl is null ? await DiscoverAsync(issuer) : (jwksUrl, null);
        if (url is not null)
        {
            var (body, failed) = await GetAsync(url);
            why = failed;
            if (body is not null && ForeignKeys.Read(body) is { } keys)
            {
                (source.Keys, source.FetchedAt) = (keys, since);
                return;
            }
        }

        NotFetched(logger, issuer, why ?? "not_a_key_set");
    }

    private async Task<(string? Url, string? Why)> DiscoverAsync(string issuer)
    {
        var (body, why) = await GetAsync($"{issuer.TrimEnd('/')}/.well-known/openid-configuration");
        if (body is null)
        {
            return (null, why);
        }

        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 16 });
            // one who answers for another issuer must not lend it his keys (OpenID Connect Discovery 4.3)
            return
                document.RootElement.ValueKind == JsonValueKind.Object
                && Text(document.RootElement, "issuer") == issuer
                && Text(document.RootElement, "jwks_uri") is { } url
                ? (url, null)
                : (null, "not_its_configuration");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return (null, "not_its_configuration");
        }
    }

    private async Task<(byte[]? Body, string? Why)> GetAsync(string url)
    {
        var response = await client.SendAsync(
            new OutgoingRequest(HttpMethod.Get, url)
            {
                Headers = [new("Accept", "application/json")],
                Timeout = Timeout,
                MaxBodyBytes = MaxBodyBytes,
            },
            CancellationToken.None
        );
        return response is { Status: 200, ErrorCode: null, BodyTruncated: false }
            ? (response.Body, null)
            : (null, $"{response}");
    }

    private static string? Text(JsonElement of, string name) =>
        of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    [LoggerMessage(LogLevel.Warning, "The keys of the token issuer {Issuer} could not be fetched: {Reason}.")]
    private static partial void NotFetched(ILogger logger, string issuer, string reason);

    private sealed class Source
    {
        // written by the one fetch that runs, read by all; the keys first, as they are looked at last
        private volatile FrozenDictionary<string, JsonWebKey> _keys = FrozenDictionary<string, JsonWebKey>.Empty;
        private long _fetchedAt;

        public FrozenDictionary<string, JsonWebKey> Keys
        {
            set => _keys = value;
        }

        /// <summary>Null: never.</summary>
        public long? FetchedAt
        {
            get => Volatile.Read(ref _fetchedAt) is var at && at != 0 ? at : null;
            set => Volatile.Write(ref _fetchedAt, value ?? 0);
        }

        // both under the lock of the source
        public long? TriedAt { get; set; }

        public Task? Fetching { get; set; }

        public JsonWebKey? Find(string? kid)
        {
            var keys = _keys;
            return kid is not null ? keys.GetValueOrDefault(kid)
                : keys.Count == 1 ? keys.Values[0]
                : null;
        }
    }
}
