using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Audit;

/// <summary>Appends a link for each entry that has none to the chain of its project.</summary>
/// <remarks>
/// <para>With an entry a trigger writes the mark that it has no link (<c>audit_unlinked</c>); it is linked when the mark is seen. So the
/// order of the chain is that in which entries became visible, not that of their ids: one that commits late, with an older id, is
/// linked behind newer ones and none is left out. The chain proves that what was linked is as it was; it does not prove an order,
/// which nobody who commits concurrently has. And nothing but the marks is looked at each second, however long the chain.</para>
/// <para>Links, head and the marks' removal commit together, 500 at a time, by one process at a time. A chain whose head does not
/// fit is not gone on with: a link behind it would seal what somebody did to it.</para>
/// </remarks>
internal sealed partial class AuditChain(
    NpgsqlDataSource database,
    ChainSeal seal,
    TimeProvider clock,
    ILogger<AuditChain> logger
)
{
    private const int BatchSize = 500;
    private const long LockId = 0x62656c6c_61756474; // any number, the same in every process

    private readonly LogPace _pace = new(clock);

    /// <summary>Closes the chains of all projects.</summary>
    /// <returns>How many entries were linked, and how many chains are not gone on with.</returns>
    public async Task<(int Linked, int Broken)> CloseAsync(CancellationToken cancellationToken)
    {
        var (linked, broken) = (0, 0);
        var from = Guid.Empty;
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        while (await NextProjectAsync(connection, from, cancellationToken) is { } project)
        {
            int? some;
            do
            {
                some = await AppendAsync(connection, project, cancellationToken);
                linked += some ?? 0;
            } while (some == BatchSize);

            broken += some is null ? 1 : 0;
            from = IdBounds.After(project);
        }

        return (linked, broken);
    }

    /// <summary>Why the chain does not end as its sealed head says; null: it does.</summary>
    public string? Refuses(Guid projectId, SealedHead? sealedHead, ChainHead last) =>
        sealedHead is null
            ? (last.Seq == 0 ? null : "the chain has links and no head")
            : seal.Refuses(projectId, sealedHead.Head, sealedHead.Seal)
                ?? (
                    last.Seq < sealedHead.Seq ? $"the links behind {last.Seq} were removed, up to {sealedHead.Seq}"
                    : last.Seq > sealedHead.Seq ? $"links were added behind {sealedHead.Seq}, which no head holds"
                    : last.Is(sealedHead.Head) ? null
                    : $"link {last.Seq} is not the one that was sealed"
                );

    public static Task<SealedHead?> ReadHeadAsync(
        NpgsqlConnection connection,
        Guid projectId,
        CancellationToken cancellationToken
    ) =>
        connection.QuerySingleOrDefaultAsync<SealedHead?>(
            Sql.Head.With(new { ProjectId = projectId }, cancellationToken)
        );

    private static Task<Guid?> NextProjectAsync(
        NpgsqlConnection connection,
        Guid from,
        CancellationToken cancellationToken
    ) => connection.QuerySingleOrDefaultAsync<Guid?>(Sql.NextProject.With(new { From = from }, cancellationToken));

    /// <returns>How many were linked; null: the chain is broken.</returns>
    private async Task<int?> AppendAsync(
        NpgsqlConnection connection,
        Guid projectId,
        CancellationToken cancellationToken
    )
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (!await connection.QuerySingleAsync<bool>(Sql.TakeLock.With(new { LockId }, cancellationToken)))
        {
            return 0; // another process is at it
        }

        var arguments = new { ProjectId = projectId, Take = BatchSize };
        var head = await ReadHeadAsync(connection, projectId, cancellationToken);
        var last = await connection.QuerySingleOrDefaultAsync<ChainHead>(Sql.Last.With(arguments, cancellationToken));
        if (Refuses(projectId, head, last ?? ChainHead.None) is { } why)
        {
            if (_pace.IsDue())
            {
                NotGoneOnWith(logger, projectId, why);
            }

            return null;
        }

        var entries = (await connection.QueryAsync<ChainedEntry>(Sql.Take.With(arguments, cancellationToken))).AsList();
        if (entries.Count > 0)
        {
            await StoreAsync(connection, projectId, last ?? ChainHead.None, entries, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }

        return entries.Count;
    }

    private async Task StoreAsync(
        NpgsqlConnection connection,
        Guid projectId,
        ChainHead last,
        List<ChainedEntry> entries,
        CancellationToken cancellationToken
    )
    {
        var links = new List<ChainHead>(entries.Count);
        foreach (var entry in entries)
        {
            links.Add((links.Count == 0 ? last : links[^1]).Append(projectId, entry));
        }

        var arguments = new
        {
            ProjectId = projectId,
            Seqs = links.Select(link => link.Seq).ToArray(),
            Ids = entries.Select(entry => entry.Id).ToArray(),
            Hashes = links.Select(link => link.Hash).ToArray(),
            links[^1].Seq,
            links[^1].Hash,
            Seal = seal.Of(projectId, links[^1]),
        };
        await connection.ExecuteAsync(Sql.Append.With(arguments, cancellationToken));
        await connection.ExecuteAsync(Sql.MoveHead.With(arguments, cancellationToken));
        await connection.ExecuteAsync(Sql.Unmark.With(arguments, cancellationToken));
    }

    [LoggerMessage(
        LogLevel.Error,
        "The audit chain of project {ProjectId} does not fit its head ({Reason}) and is not gone on with; run bellhop audit verify."
    )]
    private static partial void NotGoneOnWith(ILogger logger, Guid projectId, string reason);

    private static class Sql
    {
        public const string TakeLock = "SELECT pg_try_advisory_xact_lock(@LockId)";

        public const string NextProject =
            "SELECT project_id FROM audit_unlinked WHERE project_id >= @From ORDER BY project_id LIMIT 1";

        public const string Head = "SELECT seq, hash, seal FROM audit_heads WHERE project_id = @ProjectId";

        public const string Last =
            "SELECT seq, hash FROM audit_links WHERE project_id = @ProjectId ORDER BY seq DESC LIMIT 1";

        // a mark on what is linked, or is not there, is nobody's of ours and counts for nothing
        public const string Take = """
            SELECT e.id, (extract(epoch FROM e.at) * 1000000)::bigint AS at_microseconds, e.actor, e.actor_id, e.method,
                e.address::text AS address, e.request_id, e.action, e.target, e.target_id, e.before::text AS before,
                e.after::text AS after
            FROM audit_unlinked AS u
            JOIN audit_entries AS e ON e.project_id = u.project_id AND e.id = u.id
            WHERE u.project_id = @ProjectId
                AND NOT EXISTS (SELECT FROM audit_links AS l WHERE l.project_id = u.project_id AND l.entry_id = u.id)
            ORDER BY u.id
            LIMIT @Take
            """;

        public const string Append = """
            INSERT INTO audit_links (project_id, seq, entry_id, hash)
            SELECT @ProjectId, seq, entry_id, hash
            FROM unnest(@Seqs::bigint[], @Ids::uuid[], @Hashes::bytea[]) AS link(seq, entry_id, hash)
            """;

        public const string MoveHead = """
            INSERT INTO audit_heads (project_id, seq, hash, seal)
            VALUES (@ProjectId, @Seq, @Hash, @Seal)
            ON CONFLICT (project_id) DO UPDATE SET seq = EXCLUDED.seq, hash = EXCLUDED.hash, seal = EXCLUDED.seal
            """;

        public const string Unmark = "DELETE FROM audit_unlinked WHERE project_id = @ProjectId AND id = ANY(@Ids)";
    }
}

/// <summary>A head as it is stored.</summary>
internal sealed record SealedHead(long Seq, byte[] Hash, string Seal)
{
    public ChainHead Head => new(Seq, Hash);
}
