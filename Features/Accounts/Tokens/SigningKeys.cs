using System.Collections.Frozen;
using System.Security.Cryptography;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>The keys that access tokens are signed with, as they were at most a minute ago.</summary>
/// <remarks>
/// The first are made when they are first needed. A key is published as the next one before anything is signed with it, and
/// believed as a previous one for longer than what it signed lasts: a change of keys refuses nobody. One that is removed is
/// rejected within a minute in every process. An id that is not known has the keys read again, once a second at most; who asks
/// meanwhile waits for that.
/// </remarks>
public sealed class SigningKeys(NpgsqlDataSource database, SecretBox box, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan Freshness = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    internal static readonly SealedColumn Sealed = new("signing_keys", "private_key", Sql.TakeSealed, Sql.PutSealed);

    // one loads, the others wait for what it finds
    private readonly SemaphoreSlim _loading = new(1);

    // written by whoever holds the semaphore, read by all
    private volatile Snapshot? _snapshot;

    /// <summary>The key to sign with.</summary>
    public async ValueTask<SigningKey> CurrentAsync(CancellationToken cancellationToken) =>
        (await FreshAsync(cancellationToken)).Keys.Values.Single(key => key.State == SigningKey.Current);

    /// <summary>All that are believed, the next one among them.</summary>
    public async ValueTask<IReadOnlyList<SigningKey>> PublishedAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        return [.. (await FreshAsync(cancellationToken)).Keys.Values.Where(key => key.IsBelieved(now))];
    }

    /// <summary>The key of that id, where it is one to be believed.</summary>
    /// <param name="rememberedOnly">The database is not to be asked about an id that is seen for the first time.</param>
    public async ValueTask<SigningKey?> FindAsync(string kid, bool rememberedOnly, CancellationToken cancellationToken)
    {
        var snapshot = await FreshAsync(cancellationToken);
        if (!snapshot.Keys.TryGetValue(kid, out var key) && !rememberedOnly && SigningKey.IsKid(kid))
        {
            snapshot = await LoadAfterAsync(clock.GetTimestamp(), cancellationToken);
            key = snapshot.Keys.GetValueOrDefault(kid);
        }

        return key?.IsBelieved(clock.GetUtcNow()) == true ? key : null;
    }

    /// <summary>Has the next look go to the database.</summary>
    internal void Forget() => _snapshot = null;

    /// <summary>Makes the keys that are missing. To be called inside a transaction; others who do wait until it ends.</summary>
    internal async Task EnsureAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await connection.ExecuteAsync(Sql.Lock.With(null, cancellationToken));
        foreach (var state in (string[])[SigningKey.Current, SigningKey.Next])
        {
            using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var publicKey = ecdsa.ExportSubjectPublicKeyInfo();
            var kid = SigningKey.KidOf(publicKey);
            var now = clock.GetUtcNow().UtcDateTime;
            await connection.ExecuteAsync(
                Sql.Insert.With(
                    new
                    {
                        Kid = kid,
                        State = state,
                        PublicKey = publicKey,
                        PrivateKey = box.Seal(ecdsa.ExportPkcs8PrivateKey(), Sealed.At(Guid.Empty, kid)),
                        Now = now,
                        ActivatedAt = state == SigningKey.Current ? now : (DateTime?)null,
                    },
                    cancellationToken
                )
            );
        }
    }

    public void Dispose() => _loading.Dispose();

    private async ValueTask<Snapshot> FreshAsync(CancellationToken cancellationToken) =>
        _snapshot is { } snapshot && clock.GetElapsedTime(snapshot.Since) < Freshness
            ? snapshot
            : await LoadAfterAsync(long.MinValue, cancellationToken);

    /// <summary>What was read at that moment or later.</summary>
    private async Task<Snapshot> LoadAfterAsync(long moment, CancellationToken cancellationToken)
    {
        await _loading.WaitAsync(cancellationToken);
        try
        {
            if (_snapshot is { } snapshot)
            {
                var age = clock.GetElapsedTime(snapshot.Since);
                if (snapshot.Since >= moment && age < Freshness)
                {
                    return snapshot;
                }

                if (age < Pause)
                {
                    await Task.Delay(Pause - age, clock, cancellationToken);
                }
            }

            return _snapshot = await ReadAsync(cancellationToken);
        }
        finally
        {
            _loading.Release();
        }
    }

    private async Task<Snapshot> ReadAsync(CancellationToken cancellationToken)
    {
        var since = clock.GetTimestamp();
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = (await connection.QueryAsync<Row>(Sql.All.With(null, cancellationToken))).AsList();
        if (!rows.Exists(row => row.State == SigningKey.Current) || !rows.Exists(row => row.State == SigningKey.Next))
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            await EnsureAsync(connection, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            rows = (await connection.QueryAsync<Row>(Sql.All.With(null, cancellationToken))).AsList();
        }

        return new Snapshot(
            since,
            rows.Select(row => row.ToKey(box)).ToFrozenDictionary(key => key.Kid, StringComparer.Ordinal)
        );
    }

    private sealed record Snapshot(long Since, FrozenDictionary<string, SigningKey> Keys);

    private sealed record Row(string Kid, string State, string PrivateKey, DateTime? ActivatedAt, DateTime? RetiresAt)
    {
        public SigningKey ToKey(SecretBox box)
        {
            var place = Sealed.At(Guid.Empty, Kid);
            var opened = box.Open(PrivateKey, place);
            return opened.TryGetBytes(out var bytes)
                ? new SigningKey(Kid, State, bytes, ActivatedAt, RetiresAt)
                : throw new SealedValueException(place, opened.Failure!.Value);
        }
    }

    private static class Sql
    {
        public const string All = "SELECT kid, state, private_key, activated_at, retires_at FROM signing_keys";

        // one number for all who make or promote keys
        public const string Lock = "SELECT pg_advisory_xact_lock(hashtextextended('bellhop signing keys', 0))";

        public const string Insert = """
            INSERT INTO signing_keys (kid, state, public_key, private_key, created_at, activated_at)
            SELECT @Kid::text, @State::text, @PublicKey::bytea, @PrivateKey::text, @Now::timestamptz, @ActivatedAt::timestamptz
            WHERE NOT EXISTS (SELECT FROM signing_keys WHERE state = @State::text)
            """;

        public const string TakeSealed = """
            SELECT '00000000-0000-0000-0000-000000000000'::uuid AS project_id, kid AS id, ARRAY[private_key] AS sealed
            FROM signing_keys
            WHERE ('00000000-0000-0000-0000-000000000000'::uuid, kid) > (@AfterProject::uuid, @AfterId::text)
                AND split_part(private_key, '.', 2) <> @Kid
            ORDER BY kid
            LIMIT @Take
            """;

        public const string PutSealed = """
            UPDATE signing_keys
            SET private_key = (@After::text[])[1]
            WHERE @ProjectId::uuid IS NOT NULL AND kid = @Id AND private_key = (@Before::text[])[1]
            """;
    }
}
