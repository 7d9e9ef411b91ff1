using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>Stores lines of executions, guarded by their claims.</summary>
/// <remarks>
/// A line is stored once, however often it is sent: only numbers above the last one of the claim are taken. Lines get their places
/// under the lock of the job's row, in the order of commits: whoever has read up to a place misses none before it. Of a job 1 MiB is
/// kept, its first 64 KiB and its last lines, with a mark between them; each line counts for 32 bytes more than its text.
/// </remarks>
internal static class JobLogStore
{
    private const long MaxBytes = 1024 * 1024;
    private const long HeadBytes = 64 * 1024;
    private const long MarkBytes = 1024; // and more than it takes

    // how much comes in before the ring is cut again: seldom enough that each line is read a few times at most
    private const long Stride = 64 * 1024;

    // of the last line that goes with them, a part may be among these
    private const long TailBytes = MaxBytes - HeadBytes - Stride - MarkBytes - WrittenLines.MaxLineBytes;

    /// <summary>Stores lines of executions, of each job at most one; all of them or, when it throws, none.</summary>
    /// <returns>For each, in their order, the number that its next line has; null: the claim is not the job's any more.</returns>
    public static async Task<IReadOnlyList<int?>> AppendAsync(
        NpgsqlConnection connection,
        IReadOnlyList<WrittenLines> written,
        CancellationToken cancellationToken
    )
    {
        var next = new int?[written.Count];
        var toCut = new List<(WrittenLines Of, long Until)>();
        // two statements and one transaction: the second sees what was stored while the first waited for the lock
        await using (var batch = new NpgsqlBatch(connection) { BatchCommands = { Hold(written), Append(written) } })
        await using (var reader = await batch.ExecuteReaderAsync(cancellationToken))
        {
            await reader.NextResultAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                var place = reader.GetInt64(0) - 1;
                next[place] = reader.GetInt32(1) + 1;
                var (before, after) = (reader.GetInt64(2), reader.GetInt64(3));
                if (after > MaxBytes && after / Stride > before / Stride)
                {
                    toCut.Add((written[(int)place], (after / Stride * Stride) - TailBytes));
                }
            }
        }

        foreach (var (of, until) in toCut)
        {
            await CutAsync(connection, of, until, cancellationToken);
        }

        return next;
    }

    // the lock as before: of two who cut at the same time the second finds what the first left
    private static async Task CutAsync(
        NpgsqlConnection connection,
        WrittenLines of,
        long until,
        CancellationToken cancellationToken
    )
    {
        var cut = new NpgsqlBatchCommand(Sql.Cut)
        {
            Parameters =
            {
                new("ProjectId", of.ProjectId),
                new("Id", of.JobId),
                new("Head", HeadBytes),
                new("Until", until),
            },
        };
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { Hold([of]), cut } };
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    private static NpgsqlBatchCommand Hold(IReadOnlyList<WrittenLines> written)
    {
        var command = new NpgsqlBatchCommand(Sql.Hold);
        AddClaims(command, written);
        return command;
    }

    private static NpgsqlBatchCommand Append(IReadOnlyList<WrittenLines> written)
    {
        var command = new NpgsqlBatchCommand(Sql.Append);
        AddClaims(command, written);
        var lines = written
            .SelectMany(
                (of, index) =>
                    of.Lines.Select((line, at) => (Position: index + 1L, Number: of.FromNumber + at, Line: line))
            )
            .ToArray();
        Add(command, "Positions", NpgsqlDbType.Bigint, Array.ConvertAll(lines, line => line.Position));
        Add(command, "Numbers", NpgsqlDbType.Integer, Array.ConvertAll(lines, line => line.Number));
        Add(command, "Ats", NpgsqlDbType.TimestampTz, Array.ConvertAll(lines, line => line.Line.At));
        Add(command, "Levels", NpgsqlDbType.Smallint, Array.ConvertAll(lines, line => (short)line.Line.Level));
        Add(command, "Lines", NpgsqlDbType.Text, Array.ConvertAll(lines, line => line.Line.Text));
        return command;
    }

    private static void AddClaims(NpgsqlBatchCommand command, IReadOnlyList<WrittenLines> written)
    {
        Add(command, "ProjectIds", NpgsqlDbType.Uuid, written.Select(of => of.ProjectId).ToArray());
        Add(command, "Ids", NpgsqlDbType.Uuid, written.Select(of => of.JobId).ToArray());
        Add(command, "ClaimNos", NpgsqlDbType.Bigint, written.Select(of => of.ClaimNo).ToArray());
        Add(command, "ClaimKeys", NpgsqlDbType.Uuid, written.Select(of => of.ClaimKey).ToArray());
    }

    private static void Add(NpgsqlBatchCommand command, string name, NpgsqlDbType type, object values) =>
        command.Parameters.Add(new(name, NpgsqlDbType.Array | type) { Value = values });

    private static class Sql
    {
        // locked in the order of every end, so that two statements cannot deadlock; a lease says "running"
        public const string Hold = """
            SELECT j.id
            FROM unnest(@ProjectIds::uuid[], @Ids::uuid[], @ClaimNos::bigint[], @ClaimKeys::uuid[])
                AS w(project_id, id, claim_no, claim_key)
            JOIN jobs j ON j.project_id = w.project_id AND j.id = w.id
            WHERE j.claim_no = w.claim_no AND j.lease_until IS NOT NULL
                AND (w.claim_key IS NULL OR j.claim_key = w.claim_key)
            ORDER BY j.project_id, j.id
            FOR NO KEY UPDATE OF j
            """;

        // a claim that the statement before did not find is found here no more: its number never comes back
        public const string Append = """
            WITH held AS MATERIALIZED (
                SELECT w.position, w.project_id, w.id, w.claim_no, j.claimed_at, COALESCE(l.seq, 0) AS seq,
                    COALESCE(l.bytes, 0) AS bytes, CASE WHEN l.claim_no = w.claim_no THEN l.number ELSE 0 END AS number
                FROM unnest(@ProjectIds::uuid[], @Ids::uuid[], @ClaimNos::bigint[], @ClaimKeys::uuid[])
                    WITH ORDINALITY AS w(project_id, id, claim_no, claim_key, position)
                CROSS JOIN LATERAL (
                    SELECT claimed_at
                    FROM jobs
                    WHERE project_id = w.project_id AND id = w.id AND claim_no = w.claim_no AND lease_until IS NOT NULL
                        AND (w.claim_key IS NULL OR claim_key = w.claim_key)
                    LIMIT 1
                ) AS j
                LEFT JOIN LATERAL (
                    SELECT seq, bytes, claim_no, number
                    FROM job_logs
                    WHERE project_id = w.project_id AND job_id = w.id AND at >= id_time(w.id) - interval '1 minute'
                    ORDER BY seq DESC
                    LIMIT 1
                ) AS l ON true
            ),
            stored AS (
                INSERT INTO job_logs (project_id, job_id, seq, at, claim_no, number, level, line, bytes)
                SELECT h.project_id, h.id, h.seq + row_number() OVER lines, LEAST(GREATEST(s.at, h.claimed_at), now()), h.claim_no,
                    s.number, s.level, s.line, h.bytes + sum(octet_length(s.line) + 32) OVER lines
                FROM unnest(@Positions::bigint[], @Numbers::integer[], @Ats::timestamptz[], @Levels::smallint[], @Lines::text[])
                    AS s(position, number, at, level, line)
                JOIN held h ON h.position = s.position
                WHERE s.number > h.number
                WINDOW lines AS (PARTITION BY h.position ORDER BY s.number)
                RETURNING project_id, job_id, number, bytes
            )
            SELECT h.position, GREATEST(h.number, max(s.number)), h.bytes, GREATEST(h.bytes, max(s.bytes))
            FROM held h
            LEFT JOIN stored s ON s.project_id = h.project_id AND s.job_id = h.id
            GROUP BY h.position, h.number, h.bytes
            """;

        // the mark that is there is cut with the lines, and stands for more when it is put back in its place
        public const string Cut = """
            WITH gone AS (
                DELETE FROM job_logs
                WHERE project_id = @ProjectId AND job_id = @Id AND at >= id_time(@Id) - interval '1 minute'
                    AND bytes > @Head AND bytes <= @Until
                    AND EXISTS (SELECT FROM jobs WHERE project_id = @ProjectId AND id = @Id)
                RETURNING seq, CASE WHEN number < 0 THEN seq - number - 1 ELSE seq END AS last_seq, at, claim_no, bytes
            )
            INSERT INTO job_logs (project_id, job_id, seq, at, claim_no, number, level, line, bytes)
            SELECT @ProjectId, @Id, min(seq), min(at), min(claim_no), min(seq) - max(last_seq) - 1, 4,
                'lines left out: ' || max(last_seq) - min(seq) + 1, min(bytes)
            FROM gone
            HAVING count(*) > 0
            """;
    }
}
