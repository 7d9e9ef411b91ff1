using System.Security.Cryptography;
using System.Text.Json;
using Bellhop.Infrastructure.Secrets;
using Npgsql;

namespace Bellhop.Infrastructure.Http.Idempotency;

/// <summary>An answer as it was given: what a repetition is answered.</summary>
internal sealed record KeptAnswer(int Status, IReadOnlyDictionary<string, string> Headers, byte[] Body);

/// <summary>The answers to requests with an <c>Idempotency-Key</c>, sealed, for a day at least.</summary>
/// <remarks>
/// Of the request a hash under a key of the ring is kept: it may hold a password, which whoever reads the table could else guess.
/// </remarks>
internal sealed class KeptAnswers(SecretBox box, KeyRing ring, TimeProvider clock)
{
    public static readonly SealedColumn Sealed = new("idempotency_keys", "answer", Sql.TakeSealed, Sql.PutSealed);

    /// <summary>Locks the key for the connection's transaction and looks for its answer: one round trip.</summary>
    /// <returns>Whether the key was free; and what it was used for, where it was.</returns>
    public static async Task<(bool IsFree, byte[]? Request, string? Sealed)> LockAsync(
        NpgsqlConnection connection,
        IdempotencyKey key,
        CancellationToken cancellationToken
    )
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new(Sql.Lock) { Parameters = { new("LockId", key.LockId) } },
                // a statement of its own: its snapshot is younger than the lock, so it sees whoever held that before
                new(Sql.Find) { Parameters = { new("ProjectId", key.ProjectId), new("KeySha256", key.Sha256) } },
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var isFree = reader.GetBoolean(0);
        await reader.NextResultAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? (isFree, reader.GetFieldValue<byte[]>(0), reader.GetString(1))
            : (isFree, null, null);
    }

    /// <summary>Whether what was kept was kept for this very request.</summary>
    public bool IsSame(byte[] keptRequest, byte[] request) =>
        ring.Keys.Any(key => CryptographicOperations.FixedTimeEquals(Mark(key, request), keptRequest));

    public async Task KeepAsync(
        NpgsqlConnection connection,
        IdempotencyKey key,
        byte[] request,
        KeptAnswer answer,
        CancellationToken cancellationToken
    )
    {
        await using var insert = new NpgsqlCommand(Sql.Keep, connection)
        {
            Parameters =
            {
                new("ProjectId", key.ProjectId),
                new("KeySha256", key.Sha256),
                new("RequestSha256", Mark(ring.Active, request)),
                new("Answer", box.Seal(JsonSerializer.SerializeToUtf8Bytes(answer, JsonRules.Options), PlaceOf(key))),
                new("Now", clock.GetUtcNow().UtcDateTime),
            },
        };
        await insert.ExecuteNonQueryAsync(cancellationToken);
    }

    public KeptAnswer Open(IdempotencyKey key, string sealedAnswer)
    {
        var opened = box.Open(sealedAnswer, PlaceOf(key));
        return opened.TryGetBytes(out var bytes)
            ? JsonSerializer.Deserialize<KeptAnswer>(bytes, JsonRules.Options)!
            : throw new InvalidOperationException($"A kept answer does not open: {opened}.");
    }

    private static byte[] Mark(RingKey key, byte[] request) =>
        HMACSHA256.HashData(key.Derive("idempotent requests"), request);

    private static AssociatedData PlaceOf(IdempotencyKey key) =>
        Sealed.At(key.ProjectId, Convert.ToHexStringLower(key.Sha256));

    private static class Sql
    {
        public const string Lock = "SELECT pg_try_advisory_xact_lock(@LockId)";

        public const string Find = """
            SELECT request_sha256, answer
            FROM idempotency_keys
            WHERE project_id = @ProjectId AND key_sha256 = @KeySha256
            """;

        public const string TakeSealed = """
            SELECT project_id, encode(key_sha256, 'hex') AS id, ARRAY[answer] AS sealed
            FROM idempotency_keys
            WHERE (project_id, key_sha256) > (@AfterProject, decode(@AfterId, 'hex')) AND split_part(answer, '.', 2) <> @Kid
            ORDER BY project_id, key_sha256
            LIMIT @Take
            """;

        public const string PutSealed = """
            UPDATE idempotency_keys
            SET answer = (@After::text[])[1]
            WHERE project_id = @ProjectId AND key_sha256 = decode(@Id, 'hex') AND answer = (@Before::text[])[1]
            """;

        public const string Keep = """
            INSERT INTO idempotency_keys (project_id, key_sha256, request_sha256, answer, created_at)
            VALUES (@ProjectId, @KeySha256, @RequestSha256, @Answer, @Now)
            """;
    }
}
