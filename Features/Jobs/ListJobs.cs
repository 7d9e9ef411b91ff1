using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>The jobs of a project, newest first: unfinished ones and those whose history is still kept.</summary>
public static class ListJobs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/jobs", Get)
                .RequirePermission(Permissions.JobsRead)
                .WithPagingByTime("created_at", new ListFilter("state", JobState.All))
                .WithName(nameof(ListJobs))
                .WithTags("Jobs")
                .Produces<Page<Response>>();

        /// <summary>List jobs</summary>
        public static async Task<IResult> Get(
            string? state,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var page = Paging.Read(http);
            return page.Problem is not null
                ? page.ToHttp(TypedResults.Ok)
                : (await mediator.Send(new Query(page.Unwrap(), state), cancellationToken)).ToHttp(http);
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string?> _state = new("--state") { Description = "only jobs in this state" };
        private readonly Option<int> _limit = new("--limit")
        {
            Description = $"how many, {PageRequest.MaxLimit} at most",
            DefaultValueFactory = _ => PageRequest.DefaultLimit,
        };

        public Verb()
            : base("jobs list", "List jobs, the newest first.") => Add(_state, _limit);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            var page = PageRequest.First(Math.Clamp(session.Get(_limit), 1, PageRequest.MaxLimit));
            return session.SendAsync(
                new Query(page, session.Get(_state)),
                // columns apart by tabs, for cut and awk
                jobs => string.Join('\n', jobs.Items.Select(job => $"{job.Id}\t{job.Queue}\t{job.Kind}\t{job.State}")),
                cancellationToken
            );
        }
    }

    public sealed record Query(PageRequest Page, string? State = null) : IRequest<Result<Page<Response>>>;

    public sealed record Response(
        Guid Id,
        [property: MaxLength(100)] string Queue,
        [property: MaxLength(100)] string Kind,
        [property: WordOf(typeof(JobState))] string State,
        short Attempt,
        short MaxAttempts,
        [property: Range(1, 4)] short Priority,
        DateTime CreatedAt,
        DateTime RunAt,
        DateTime? FinishedAt
    ) : IExampled<Response>
    {
        public static Response Example =>
            new(Story.Job, "default", "log", "succeeded", 1, 20, 3, Story.After(12), Story.After(12), Story.After(15));
    }

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<Response>>>
    {
        public async Task<Result<Page<Response>>> Handle(Query request, CancellationToken cancellationToken)
        {
            if (request.State is { } state && !JobState.All.Contains(state))
            {
                var message = $"One of {string.Join(", ", JobState.All)}.";
                return Problems.InvalidParameter.Because(
                    $"state: {message}",
                    FieldError.InParameter("state", "invalid", message)
                );
            }

            var (sql, outcome) = Choose(request.State, request.Page.OldestFirst);
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<JobRow>(
                sql.With(
                    new
                    {
                        caller.ProjectId,
                        caller.ReachQueues,
                        request.Page.From,
                        request.Page.Until,
                        request.Page.Take,
                        Outcome = outcome,
                    },
                    cancellationToken
                )
            );
            return request.Page.ToPage([.. rows.Select(ToResponse)], job => job.Id);
        }

        private static (string Sql, short Outcome) Choose(string? state, bool oldestFirst) =>
            state switch
            {
                null => (oldestFirst ? Sql.AllFromOldest : Sql.All, 0),
                JobState.Waiting => (oldestFirst ? Sql.WaitingFromOldest : Sql.Waiting, 0),
                JobState.Ready => (oldestFirst ? Sql.ReadyFromOldest : Sql.Ready, 0),
                JobState.Running => (oldestFirst ? Sql.RunningFromOldest : Sql.Running, 0),
                JobState.Succeeded => (oldestFirst ? Sql.SucceededFromOldest : Sql.Succeeded, 0),
                _ => (
                    oldestFirst ? Sql.NotSucceededFromOldest : Sql.NotSucceeded,
                    (short)JobState.Finished.IndexOf(state)
                ),
            };

        private static Response ToResponse(JobRow job) =>
            new(
                job.Id,
                job.Queue,
                job.Kind,
                JobState.Of(job.State, job.Outcome),
                job.Attempt,
                job.MaxAttempts,
                job.Priority,
                job.CreatedAt,
                job.RunAt,
                job.FinishedAt
            );
    }

    private static class Sql
    {
        // every branch reads its own index in order and stops at the limit
        public const string All =
            $"({Open}{ListOrder.NewestFirst})\nUNION ALL\n({Ended}{ListOrder.NewestFirst}){ListOrder.NewestFirst}";
        public const string AllFromOldest =
            $"({Open}{ListOrder.OldestFirst})\nUNION ALL\n({Ended}{ListOrder.OldestFirst}){ListOrder.OldestFirst}";
        public const string Waiting = Open + " AND j.state = 0" + ListOrder.NewestFirst;
        public const string WaitingFromOldest = Open + " AND j.state = 0" + ListOrder.OldestFirst;
        public const string Ready = Open + " AND j.state = 1" + ListOrder.NewestFirst;
        public const string ReadyFromOldest = Open + " AND j.state = 1" + ListOrder.OldestFirst;
        public const string Running = Open + IsRunning + ListOrder.NewestFirst;
        public const string RunningFromOldest = Open + IsRunning + ListOrder.OldestFirst;
        public const string Succeeded = Ended + " AND h.outcome = 0" + ListOrder.NewestFirst;
        public const string SucceededFromOldest = Ended + " AND h.outcome = 0" + ListOrder.OldestFirst;
        public const string NotSucceeded = Ended + IsNotSucceeded + ListOrder.NewestFirst;
        public const string NotSucceededFromOldest = Ended + IsNotSucceeded + ListOrder.OldestFirst;

        private const string Open = """
            SELECT j.id, q.name AS queue, j.kind, j.state, NULL::smallint AS outcome, j.attempt, j.max_attempts, j.priority,
                id_time(j.id) AS created_at, j.run_at, NULL::timestamptz AS finished_at
            FROM jobs j
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            WHERE j.project_id = @ProjectId AND j.id >= @From AND j.id < @Until
                AND (@ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues))
            """;

        private const string Ended = """
            SELECT h.id, q.name AS queue, h.kind, NULL::smallint AS state, h.outcome, h.attempt, h.max_attempts, h.priority,
                id_time(h.id) AS created_at, h.run_at, h.finished_at
            FROM job_history h
            JOIN queues q ON q.project_id = h.project_id AND q.queue_id = h.queue_id
            WHERE h.project_id = @ProjectId AND h.id >= @From AND h.id < @Until
                AND (@ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues))
            """;

        // what runs is little, and has an index of its own
        private const string IsRunning =
            " AND j.state = 2 AND j.queue_id IN (SELECT queue_id FROM queues WHERE project_id = @ProjectId)";

        // the second condition is that of the index
        private const string IsNotSucceeded = " AND h.outcome = @Outcome AND h.outcome <> 0";
    }
}
