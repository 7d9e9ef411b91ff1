using System.Globalization;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Audit;

/// <summary>What became of the chain of one project.</summary>
/// <param name="Entries">How many links held.</param>
/// <param name="Head">The last link that holds, as <c>SEQ:HASH</c>; null: there is none.</param>
/// <param name="Broken">The first that does not hold, and how; null: all do.</param>
public sealed record CheckedChain(string Project, long Entries, string? Head, string? Broken);

/// <summary>Reads the chain of a project from its first link to its sealed head and looks whether it holds.</summary>
/// <remarks>One row at a time, all of it as it was at one moment.</remarks>
internal sealed class ChainCheck(NpgsqlDataSource database, AuditChain chain, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <param name="expected">A link that must be in the chain, as somebody noted it before.</param>
    public async Task<CheckedChain> RunAsync(
        Guid projectId,
        string name,
        ChainHead? expected,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var snapshot = await connection.BeginSnapshotAsync(cancellationToken);
        var (last, broken) = await WalkAsync(connection, projectId, expected, cancellationToken);
        broken ??=
            chain.Refuses(projectId, await AuditChain.ReadHeadAsync(connection, projectId, cancellationToken), last)
            ?? Missing(last, expected)
            ?? await FindUnlinkedAsync(connection, projectId, cancellationToken);
        return new CheckedChain(
            name,
            last.Seq,
            last.Seq == 0 ? null : string.Create(CultureInfo.InvariantCulture, $"{last.Seq}:{last.Hex}"),
            broken
        );
    }

    private static async Task<(ChainHead Last, string? Broken)> WalkAsync(
        NpgsqlConnection connection,
        Guid projectId,
        ChainHead? expected,
        CancellationToken cancellationToken
    )
    {
        var last = ChainHead.None;
        await using var command = new NpgsqlCommand(Sql.Links, connection)
        {
            Parameters = { new("ProjectId", projectId) },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        // the entry's columns follow those of the link, and are null where it is gone
        var toLink = reader.GetRowParser<LinkRow>(length: 4);
        var toEntry = reader.GetRowParser<ChainedEntry>(startIndex: 3);
        while (await reader.ReadAsync(cancellationToken))
        {
            var link = toLink(reader);
            if (link.Seq != last.Seq + 1)
            {
                return (last, $"link {last.Seq + 1} was removed");
            }

            if (link.EntryId != link.Id)
            {
                return (last, $"link {link.Seq}: its entry {link.EntryId} was removed");
            }

            var next = last.Append(projectId, toEntry(reader));
            if (!link.Hash.AsSpan().SequenceEqual(next.Hash))
            {
                return (last, $"link {link.Seq}: the entry {link.EntryId} or the link was changed");
            }

            if (expected?.Seq == next.Seq && !next.Is(expected))
            {
                return (last, $"link {link.Seq}: it is not the one that was expected");
            }

            last = next;
        }

        return (last, null);
    }

    private static string? Missing(ChainHead last, ChainHead? expected) =>
        expected is not null && last.Seq < expected.Seq
            ? $"link {expected.Seq}, which was expected, is not there: the chain ends at {last.Seq}"
            : null;

    private async Task<string?> FindUnlinkedAsync(
        NpgsqlConnection connection,
        Guid projectId,
        CancellationToken cancellationToken
    )
    {
        var arguments = new { ProjectId = projectId, Until = IdBounds.At((clock.GetUtcNow() - Patience).UtcDateTime) };
        var added = await connection.QuerySingleOrDefaultAsync<Guid?>(Sql.Unlinked.With(arguments, cancellationToken));
        var gone = await connection.QuerySingleOrDefaultAsync<Guid?>(Sql.Gone.With(arguments, cancellationToken));
        return added is not null ? $"the entry {added} has no link: it was added, or its link removed"
            : gone is not null ? $"the entry {gone} was removed before it was linked"
            : null;
    }

    private sealed record LinkRow(long Seq, Guid EntryId, byte[] Hash, Guid? Id);

    private static class Sql
    {
        public const string Links = """
            SELECT l.seq, l.entry_id, l.hash, e.id, (extract(epoch FROM e.at) * 1000000)::bigint AS at_microseconds, e.actor,
                e.actor_id, e.method, e.address::text AS address, e.request_id, e.action, e.target, e.target_id,
                e.before::text AS before, e.after::text AS after
            FROM audit_links AS l
            LEFT JOIN audit_entries AS e ON e.project_id = l.project_id AND e.id = l.entry_id
            WHERE l.project_id = @ProjectId
            ORDER BY l.seq
            """;

        public const string Unlinked = """
            SELECT e.id
            FROM audit_entries AS e
            WHERE e.project_id = @ProjectId
                AND e.id < @Until
                AND NOT EXISTS (SELECT FROM audit_links AS l WHERE l.project_id = e.project_id AND l.entry_id = e.id)
            ORDER BY e.id
            LIMIT 1
            """;

        public const string Gone = """
            SELECT u.id
            FROM audit_unlinked AS u
            WHERE u.project_id = @ProjectId
                AND u.id < @Until
                AND NOT EXISTS (SELECT FROM audit_entries AS e WHERE e.project_id = u.project_id AND e.id = u.id)
            ORDER BY u.id
            LIMIT 1
            """;
    }
}
