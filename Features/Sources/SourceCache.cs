using System.Collections.Concurrent;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Sources;

/// <summary>Finds the source of an inbound path, with its secrets opened; what was found is believed for five seconds.</summary>
/// <remarks>Paths that lead nowhere are not remembered: guessing them costs a look-up each and no memory.</remarks>
public sealed class SourceCache(NpgsqlDataSource database, SecretBox box, TimeProvider clock)
{
    public const int TokenLength = 43; // 256 bits in base 62

    private const string InboundPrefix = "/in/";

    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);

    // written by the request that found nothing young enough; a race costs one more look-up
    private readonly ConcurrentDictionary<string, (Source Source, long ReadAt)> _found = new(StringComparer.Ordinal);

    public async ValueTask<Source?> FindAsync(string token, CancellationToken cancellationToken)
    {
        if (_found.TryGetValue(token, out var found) && clock.GetElapsedTime(found.ReadAt) < MaxAge)
        {
            return found.Source;
        }

        var readAt = clock.GetTimestamp();
        var source = await ReadAsync(token, cancellationToken);
        if (source is null)
        {
            _found.TryRemove(token, out _);
            return null;
        }

        _found[token] = (source, readAt);
        return source;
    }

    /// <summary>Lets the next request see what was just saved.</summary>
    internal void Forget(string inboundPath) => _found.TryRemove(inboundPath[InboundPrefix.Length..], out _);

    internal static readonly SealedColumn Sealed = new("sources", "secrets", Sql.TakeSealed, Sql.PutSealed);

    /// <summary>The source as it was when it was last found, however long ago; asks nobody.</summary>
    public Source? Remember(string token) => _found.TryGetValue(token, out var found) ? found.Source : null;

    /// <summary>Where the secrets of a source are sealed to.</summary>
    internal static AssociatedData PlaceOf(Guid projectId, Guid id) => Sealed.At(projectId, $"{id}");

    private async Task<Source?> ReadAsync(string token, CancellationToken cancellationToken)
    {
        if (token.Length != TokenLength)
        {
            return null;
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var row = await connection.QuerySingleOrDefaultAsync<SealedSource>(
            Sql.Find.With(new { Token = token }, cancellationToken)
        );
        return row?.Open(box);
    }

    // not by constructor: Dapper cannot give an array to one
    private sealed record SealedSource
    {
        public required Guid ProjectId { get; init; }

        public required Guid Id { get; init; }

        public required string Name { get; init; }

        public required string Scheme { get; init; }

        public required string[] Secrets { get; init; }

        public Source Open(SecretBox box)
        {
            var scheme = WebhookScheme.All[Scheme];
            return new Source(ProjectId, Id, Name, scheme, [.. Secrets.Select(secret => KeyOf(scheme, box, secret))]);
        }

        private byte[] KeyOf(WebhookScheme scheme, SecretBox box, string secret)
        {
            var text = box.OpenText(secret, PlaceOf(ProjectId, Id));
            return scheme.KeyOf(text)
                ?? throw new InvalidOperationException($"The secret of the source {Id} is none of its scheme.");
        }
    }

    private static class Sql
    {
        // before the project is known
        public const string Find = """
            SELECT s.project_id, s.id, s.name, s.scheme, s.secrets
            FROM sources AS s
            JOIN projects AS p ON p.id = s.project_id
            WHERE s.token = @Token AND s.deleted_at IS NULL AND p.archived_at IS NULL
            """;

        public const string TakeSealed = """
            SELECT project_id, id::text AS id, secrets AS sealed
            FROM sources
            WHERE (project_id, id) > (@AfterProject, @AfterId::uuid)
                AND EXISTS (SELECT FROM unnest(secrets) AS secret WHERE split_part(secret, '.', 2) <> @Kid)
            ORDER BY project_id, id
            LIMIT @Take
            """;

        public const string PutSealed = """
            UPDATE sources SET secrets = @After WHERE project_id = @ProjectId AND id = @Id::uuid AND secrets = @Before
            """;
    }
}
