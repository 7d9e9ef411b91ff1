using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs.Tail;

/// <summary>A moment, and the one before which nothing can end any more.</summary>
internal sealed record TailMoment(DateTime Now, DateTime SettledAt);

/// <summary>A job that runs, or one that has ended.</summary>
/// <param name="Position">Of which of the places it was read, from 1.</param>
internal sealed record TailRow(
    long Position,
    Guid Id,
    long ClaimNo,
    string Queue,
    string Kind,
    short? Outcome,
    short Attempt,
    DateTime? StartedAt,
    DateTime? FinishedAt,
    string? ErrorCode
)
{
    public TailPlace Place => new(FinishedAt!.Value, Id);

    public TailedJob ToJob() =>
        new(
            Id,
            Queue,
            Kind,
            Outcome is null ? JobState.Running : JobState.Of(null, Outcome),
            Attempt,
            StartedAt,
            FinishedAt,
            ErrorCode
        );
}

/// <summary>Reads what began and ended in projects.</summary>
internal sealed class TailReads(NpgsqlDataSource database)
{
    /// <summary>How many of one project are read at once, at most: as many that run, and as many that ended.</summary>
    public const int Block = 500;

    /// <summary>To be read before what ended is: whatever ended before it is seen by a statement that begins later.</summary>
    public async Task<TailMoment> SettleAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleAsync<TailMoment>(Sql.Settle.With(null, cancellationToken));
    }

    /// <summary>What ended behind each place and before the moment, in order; and the newest of what runs and began lately.</summary>
    public async Task<(ILookup<long, TailRow> Started, ILookup<long, TailRow> Ended)> LookAsync(
        IReadOnlyList<(Guid ProjectId, TailPlace After)> places,
        TailMoment moment,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var results = await connection.QueryMultipleAsync(
            Sql.Look.With(Arguments(places, TailPlace.Before(moment.SettledAt)), cancellationToken)
        );
        await results.ReadAsync(); // what the plans were made with
        var started = (await results.ReadAsync<TailRow>()).ToLookup(row => row.Position);
        await results.ReadAsync();
        return (started, (await results.ReadAsync<TailRow>()).ToLookup(row => row.Position));
    }

    /// <summary>What ended behind one place, and up to another one.</summary>
    public async Task<IReadOnlyList<TailRow>> ReadAsync(
        Guid projectId,
        TailPlace after,
        TailPlace until,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var results = await connection.QueryMultipleAsync(
            Sql.Read.With(Arguments([(projectId, after)], until), cancellationToken)
        );
        await results.ReadAsync();
        return (await results.ReadAsync<TailRow>()).AsList();
    }

    private static object Arguments(IReadOnlyList<(Guid ProjectId, TailPlace After)> places, TailPlace until) =>
        new
        {
            ProjectIds = places.Select(place => place.ProjectId).ToArray(),
            Ats = places.Select(place => place.After.At).ToArray(),
            Afters = places.Select(place => place.After.Id).ToArray(),
            UntilAt = until.At,
            UntilId = until.Id,
            Take = Block,
        };

    private static class Sql
    {
        public const string Settle = "SELECT now() AS now, settled_at() AS settled_at";

        // What has begun first: who is told of its end then has been told that it began. They are statements, each of which sees what
        // was there when it began.
        public const string Look = $"{ByIndex};\n{Started};\n{InOrder};\n{Ended}";
        public const string Read = $"{InOrder};\n{Ended}";

        // a plan is made once and kept, perhaps for tables that are empty now; these hold until the last of the statements has ended
        private const string ByIndex =
            "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)";
        private const string InOrder = $"{ByIndex}, set_config('enable_sort', 'off', true)";

        // All that runs is read from its index once, for every project: it is as many as workers hold. Nothing here is what another
        // index is ordered by, or a plan made for few jobs would read all of them.
        private const string Started = """
            SELECT s.position, s.id, s.claim_no, (
                    SELECT q.name FROM queues q WHERE q.project_id = s.project_id AND q.queue_id = s.queue_id
                ) AS queue, s.kind, NULL::smallint AS outcome, s.attempt, s.claimed_at AS started_at,
                NULL::timestamptz AS finished_at, NULL AS error_code
            FROM (
                SELECT r.*, row_number() OVER (PARTITION BY r.position ORDER BY r.claimed_at DESC) AS place
                FROM (
                    SELECT array_position(@ProjectIds::uuid[], j.project_id)::bigint AS position, j.project_id, j.id, j.claim_no, j.queue_id,
                        j.kind, j.attempt, j.claimed_at
                    FROM jobs j
                    WHERE j.state = 2 AND j.claimed_at > now() - interval '15 seconds'
                        AND (j.project_id = ANY (@ProjectIds::uuid[])) IS TRUE
                ) AS r
            ) AS s
            WHERE s.place <= @Take
            ORDER BY s.claimed_at
            """;

        // The first condition and the third are those of the index, the plain one on the time picks the partitions. What ended in one
        // statement ended at one moment, and stands there in the order of the ids. Places are walked through one by one.
        private const string Ended = """
            SELECT w.position, e.id, e.claim_no, (
                    SELECT q.name FROM queues q WHERE q.project_id = w.project_id AND q.queue_id = e.queue_id
                ) AS queue, e.kind, e.outcome, e.attempt, e.claimed_at AS started_at, e.finished_at, e.error ->> 'code' AS error_code
            FROM unnest(@ProjectIds::uuid[], @Ats::timestamptz[], @Afters::uuid[]) WITH ORDINALITY AS w(project_id, at, after, position)
            CROSS JOIN LATERAL (
                SELECT h.id, h.claim_no, h.queue_id, h.kind, h.outcome, h.attempt, h.claimed_at, h.finished_at, h.error
                FROM job_history h
                WHERE uuid_hash(h.project_id) = uuid_hash(w.project_id) AND (h.project_id = w.project_id) IS TRUE
                    AND h.finished_at AT TIME ZONE 'UTC' >= w.at AT TIME ZONE 'UTC'
                    AND h.finished_at AT TIME ZONE 'UTC' <= @UntilAt::timestamptz AT TIME ZONE 'UTC'
                    AND h.finished_at >= w.at AND h.finished_at <= @UntilAt
                    AND (h.finished_at, h.id) > (w.at, w.after) AND (h.finished_at, h.id) <= (@UntilAt, @UntilId::uuid)
                ORDER BY h.finished_at AT TIME ZONE 'UTC', h.id
                LIMIT @Take
            ) AS e
            """;
    }
}
