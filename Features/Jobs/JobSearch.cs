using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>What the jobs of a list are like: they fit every member that is given.</summary>
/// <param name="Worker">Of a job that runs: who has it; of one that is over: who had it last.</param>
internal sealed record JobTraits(string? State, string? Queue, string? Kind, string? Tag, string? Lane, Guid? Worker);

/// <summary>A job that was looked at.</summary>
internal sealed record LookedAtJob : JobRow
{
    public bool Fits { get; init; }

    /// <summary>The search stopped here, and there may be more.</summary>
    public bool IsMark { get; init; }
}

/// <summary>Finds the jobs of a project that are like something, in the order of their ids.</summary>
/// <remarks>
/// What is rare by nature has an index: lanes, tags, and what failed by kind and queue. Everything else is looked through, at most
/// ten thousand jobs a page: so each page is quick, however many jobs there are and however few fit, and one may hold fewer than
/// asked for, or none, while there is more behind it. An index on every job would slow down each of them for the sake of this.
/// </remarks>
internal sealed class JobSearch(NpgsqlDataSource database, Caller caller)
{
    /// <param name="isThorough">Goes on until the page is full or everything was looked at, page after page.</param>
    public async Task<Page<JobRow>> FindAsync(
        JobTraits traits,
        PageRequest page,
        bool isThorough,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var queueIds = await FindQueuesAsync(connection, traits.Queue, cancellationToken);
        var found = new List<JobRow>();
        if (queueIds is { Length: 0 })
        {
            return page.ToPage(found, job => job.Id);
        }

        for (var part = page; ; )
        {
            var arguments = Arguments(traits, queueIds, part, page.Take - found.Count);
            var sql = Choose(traits, queueIds, page.OldestFirst);
            var (jobs, mark) = await ReadAsync(connection, sql, arguments, cancellationToken);
            if (mark is not null && traits.Tag is not null)
            {
                // few have it: these are all
                var tagged = page.OldestFirst ? Sql.TaggedFromOldest : Sql.Tagged;
                var (all, more) = await ReadAsync(connection, tagged, arguments, cancellationToken);
                (jobs, mark) = more is null ? (all, null) : (jobs, mark);
            }

            found.AddRange(jobs);
            if (mark is not { } stop || !isThorough || found.Count == page.Take)
            {
                return page.ToPage(found, job => job.Id, mark);
            }

            part = part.Behind(stop);
        }
    }

    private object Arguments(JobTraits traits, long[]? queueIds, PageRequest part, int take) =>
        new
        {
            caller.ProjectId,
            part.From,
            part.Until,
            Take = take,
            State = NumberOf(JobState.Unfinished.IndexOf(traits.State ?? "")),
            Outcome = NumberOf(JobState.Finished.IndexOf(traits.State ?? "")),
            QueueIds = queueIds,
            QueueId = queueIds?[0],
            traits.Kind,
            traits.Tag,
            traits.Lane,
            traits.Worker,
        };

    private static short? NumberOf(int index) => index < 0 ? null : (short)index;

    /// <summary>The queues that the jobs may be on: those of that name, deleted ones too, and those the caller sees. Null: any.</summary>
    private async Task<long[]?> FindQueuesAsync(
        NpgsqlConnection connection,
        string? queue,
        CancellationToken cancellationToken
    )
    {
        if (queue is null && caller.ReachQueues is null)
        {
            return null;
        }

        var names =
            queue is null ? caller.ReachQueues!
            : caller.ReachQueues?.Contains(queue, StringComparer.Ordinal) == false ? []
            : [queue];
        var ids = await connection.QueryAsync<long>(
            Sql.Queues.With(new { caller.ProjectId, Names = names }, cancellationToken)
        );
        return [.. ids];
    }

    private static async Task<(IReadOnlyList<JobRow> Jobs, Guid? Mark)> ReadAsync(
        NpgsqlConnection connection,
        string sql,
        object arguments,
        CancellationToken cancellationToken
    )
    {
        await using var results = await connection.QueryMultipleAsync(sql.With(arguments, cancellationToken));
        await results.ReadAsync(); // what the plan was made with
        var rows = (await results.ReadAsync<LookedAtJob>()).AsList();
        return ([.. rows.Where(row => row.Fits)], rows.FirstOrDefault(row => row.IsMark)?.Id);
    }

    private static string Choose(JobTraits traits, long[]? queueIds, bool oldestFirst) =>
        traits switch
        {
            { State: JobState.Running } => oldestFirst ? Sql.RunningFromOldest : Sql.Running,
            { Lane: not null } => oldestFirst ? Sql.InLaneFromOldest : Sql.InLane,
            { State: null } => oldestFirst ? Sql.AllFromOldest : Sql.All,
            { State: JobState.Waiting } => oldestFirst ? Sql.WaitingFromOldest : Sql.Waiting,
            { State: JobState.Ready } => oldestFirst ? Sql.ReadyFromOldest : Sql.Ready,
            { State: JobState.Succeeded } => oldestFirst ? Sql.SucceededFromOldest : Sql.Succeeded,
            { Kind: not null } => oldestFirst ? Sql.OfKindFromOldest : Sql.OfKind,
            _ when queueIds is [_] => oldestFirst ? Sql.OfQueueFromOldest : Sql.OfQueue,
            _ => oldestFirst ? Sql.NotSucceededFromOldest : Sql.NotSucceeded,
        };

    private static class Sql
    {
        public const string Queues = """
            SELECT queue_id FROM queues WHERE project_id = @ProjectId AND name = ANY (@Names::text[])
            """;

        // each reads its index in order, and stops when enough of what it read fits or ten thousand were read
        public const string All =
            $"{InOrder}{FromNewest}({Open}{Newest})\nUNION ALL\n({Ended}{Newest}){Newest}{UpToMark}";
        public const string AllFromOldest =
            $"{InOrder}{FromOldest}({Open}{Oldest})\nUNION ALL\n({Ended}{Oldest}){Oldest}{UpToMarkFromOldest}";
        public const string InLane =
            $"{InOrder}{FromNewest}({Open}{OpenLane}{Newest})\nUNION ALL\n({Ended}{EndedLane}{Newest}){Newest}{UpToMark}";
        public const string InLaneFromOldest =
            $"{InOrder}{FromOldest}({Open}{OpenLane}{Oldest})\nUNION ALL\n({Ended}{EndedLane}{Oldest}){Oldest}{UpToMarkFromOldest}";
        public const string Waiting = $"{InOrder}{FromNewest}{Open}{IsWaiting}{Newest}{UpToMark}";
        public const string WaitingFromOldest = $"{InOrder}{FromOldest}{Open}{IsWaiting}{Oldest}{UpToMarkFromOldest}";
        public const string Ready = $"{InOrder}{FromNewest}{Open}{Newest}{UpToMark}";
        public const string ReadyFromOldest = $"{InOrder}{FromOldest}{Open}{Oldest}{UpToMarkFromOldest}";
        public const string Succeeded = $"{InOrder}{FromNewest}{Ended}{Newest}{UpToMark}";
        public const string SucceededFromOldest = $"{InOrder}{FromOldest}{Ended}{Oldest}{UpToMarkFromOldest}";
        public const string NotSucceeded = $"{InOrder}{FromNewest}{Ended}{HasOutcome}{Newest}{UpToMark}";
        public const string NotSucceededFromOldest =
            $"{InOrder}{FromOldest}{Ended}{HasOutcome}{Oldest}{UpToMarkFromOldest}";
        public const string OfKind = $"{InOrder}{FromNewest}{Ended}{HasKind}{Newest}{UpToMark}";
        public const string OfKindFromOldest = $"{InOrder}{FromOldest}{Ended}{HasKind}{Oldest}{UpToMarkFromOldest}";
        public const string OfQueue = $"{InOrder}{FromNewest}{Ended}{IsOnQueue}{Newest}{UpToMark}";
        public const string OfQueueFromOldest = $"{InOrder}{FromOldest}{Ended}{IsOnQueue}{Oldest}{UpToMarkFromOldest}";

        // what runs is little, and has an index of its own, in no order
        public const string Running = $"{ByIndex}{FromNewest}{OpenRunning}{UpToMark}";
        public const string RunningFromOldest = $"{ByIndex}{FromOldest}{OpenRunning}{UpToMarkFromOldest}";

        // all that have the tag, unless they are ten thousand or more: then the first row is the mark, and the others are any
        public const string Tagged = $"{ByIndex}{FromNewest}({OpenTagged})\nUNION ALL\n({EndedTagged}){AfterMark}";
        public const string TaggedFromOldest =
            $"{ByIndex}{FromOldest}({OpenTagged})\nUNION ALL\n({EndedTagged}){AfterMarkFromOldest}";

        // A plan is made once and kept. Without these it would be made for few rows, which are sorted sooner than read in order, or for a
        // table that is empty now and huge a minute later. They hold for this transaction, which ends with the statement.
        private const string InOrder =
            "SELECT set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true);\n";
        private const string ByIndex = "SELECT set_config('enable_seqscan', 'off', true);\n";

        private const string FromNewest =
            $"{Shown}{Look}\n    row_number() OVER (ORDER BY s.id DESC) = 10000 AS is_mark\nFROM (\n";
        private const string FromOldest =
            $"{Shown}{Look}\n    row_number() OVER (ORDER BY s.id) = 10000 AS is_mark\nFROM (\n";

        private const string Shown = """
            SELECT f.id, f.kind, f.state, f.outcome, f.attempt, f.max_attempts, f.priority, id_time(f.id) AS created_at, f.run_at,
                f.finished_at, f.fits, f.is_mark, (
                    SELECT q.name FROM queues q WHERE q.project_id = @ProjectId AND q.queue_id = f.queue_id
                ) AS queue
            FROM (

            """;

        // what is not asked for may stand in here: it picks no plan
        private const string Look = """
            SELECT s.*, (@State::smallint IS NULL OR s.state = @State) AND (@Outcome::smallint IS NULL OR s.outcome = @Outcome)
                AND (@QueueIds::bigint[] IS NULL OR s.queue_id = ANY (@QueueIds)) AND (@Kind::text IS NULL OR s.kind = @Kind)
                AND (@Tag::text IS NULL OR @Tag = ANY (s.tags)) AND (@Lane::text IS NULL OR s.lane = @Lane)
                AND (@Worker::uuid IS NULL OR s.worker_id = @Worker) AS fits,
            """;

        private const string Open =
            OpenColumns + "\nWHERE j.project_id = @ProjectId AND j.id >= @From AND j.id < @Until";
        private const string Ended =
            EndedColumns + "\nWHERE h.project_id = @ProjectId AND h.id >= @From AND h.id < @Until";

        private const string OpenColumns = """
            SELECT j.id, j.queue_id, j.kind, j.state, NULL::smallint AS outcome, j.attempt, j.max_attempts, j.priority, j.run_at,
                NULL::timestamptz AS finished_at, j.worker_id, j.lane, j.tags
            FROM jobs j
            """;

        private const string EndedColumns = """
            SELECT h.id, h.queue_id, h.kind, NULL::smallint AS state, h.outcome, h.attempt, h.max_attempts, h.priority, h.run_at,
                h.finished_at, h.worker_id, h.lane, h.tags
            FROM job_history h
            """;

        private const string IsWaiting = " AND j.state = 0";
        private const string OpenLane = " AND j.lane = @Lane";
        private const string EndedLane = " AND h.lane = @Lane";

        // the second condition is that of the index
        private const string HasOutcome = " AND h.outcome = @Outcome AND h.outcome <> 0";
        private const string HasKind = " AND h.kind = @Kind AND h.outcome <> 0";
        private const string IsOnQueue = " AND h.queue_id = @QueueId AND h.outcome <> 0";

        // plain conditions would let the planner read the ids of every unfinished job of the project besides
        private const string OpenRunning = $"""
            {OpenColumns}
            WHERE j.state = 2 AND j.queue_id IN (SELECT queue_id FROM queues WHERE project_id = @ProjectId)
                AND (j.project_id = @ProjectId AND j.id >= @From AND j.id < @Until) IS TRUE
            """;

        // the keys name the project; a plain condition on it would let the planner read all of the project's jobs
        private const string OpenTagged = $"""
            {OpenColumns}
            WHERE tag_keys(j.project_id, j.tags) @> tag_keys(@ProjectId::uuid, ARRAY[@Tag::text]) AND j.tags IS NOT NULL
                AND (j.project_id = @ProjectId) IS TRUE AND j.id >= @From AND j.id < @Until
            LIMIT 10000
            """;

        private const string EndedTagged = $"""
            {EndedColumns}
            WHERE tag_keys(h.project_id, h.tags) @> tag_keys(@ProjectId::uuid, ARRAY[@Tag::text]) AND h.tags IS NOT NULL
                AND (h.project_id = @ProjectId) IS TRUE AND h.id >= @From AND h.id < @Until
            LIMIT 10000
            """;

        private const string Newest = "\nORDER BY id DESC\nLIMIT 10000";
        private const string Oldest = "\nORDER BY id\nLIMIT 10000";
        private const string UpToMark = "\n) AS s\n) AS f\nWHERE f.fits OR f.is_mark\nORDER BY f.id DESC\nLIMIT @Take";
        private const string UpToMarkFromOldest =
            "\n) AS s\n) AS f\nWHERE f.fits OR f.is_mark\nORDER BY f.id\nLIMIT @Take";
        private const string AfterMark =
            "\n) AS s\n) AS f\nWHERE f.fits OR f.is_mark\nORDER BY f.is_mark DESC, f.id DESC\nLIMIT @Take";
        private const string AfterMarkFromOldest =
            "\n) AS s\n) AS f\nWHERE f.fits OR f.is_mark\nORDER BY f.is_mark DESC, f.id\nLIMIT @Take";
    }
}
