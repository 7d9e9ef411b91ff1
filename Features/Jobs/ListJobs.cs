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
                .WithPaging("state")
                .WithName(nameof(ListJobs))
                .WithTags("Jobs")
                .Produces<Page<Response>>()
                .WithFilterOf("state", JobState.All);

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

            var (sql, number) = Choose(request.State);
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<JobRow>(
                sql.With(
                    new
                    {
                        caller.ProjectId,
                        Before = request.Page.AfterId ?? Guid.AllBitsSet,
                        State = number,
                        Limit = request.Page.Limit + 1,
                    },
                    cancellationToken
                )
            );
            return request.Page.ToPage([.. rows.Select(ToResponse)], job => job.Id);
        }

        private static (string Sql, short Number) Choose(string? state) =>
            state switch
            {
                null => (Sql.All, 0),
                JobState.Succeeded => (Sql.Succeeded, 0),
                _ when JobState.Finished.IndexOf(state) is > 0 and var outcome => (Sql.NotSucceeded, (short)outcome),
                _ => (Sql.Unfinished, (short)JobState.Unfinished.IndexOf(state)),
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
        // every branch reads its own index backwards and stops at the limit
        public const string All = """
            SELECT j.id, q.name AS queue, j.kind, j.state, j.outcome, j.attempt, j.max_attempts, j.priority,
                id_time(j.id) AS created_at, j.run_at, j.finished_at
            FROM (
                (SELECT project_id, id, queue_id, kind, state, NULL::smallint AS outcome, attempt, max_attempts, priority, run_at,
                    NULL::timestamptz AS finished_at
                FROM jobs
                WHERE project_id = @ProjectId AND id < @Before
                ORDER BY id DESC
                LIMIT @Limit)
                UNION ALL
                (SELECT project_id, id, queue_id, kind, NULL, outcome, attempt, max_attempts, priority, run_at, finished_at
                FROM job_history
                WHERE project_id = @ProjectId AND id < @Before
                ORDER BY id DESC
                LIMIT @Limit)
            ) j
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            ORDER BY j.id DESC
            LIMIT @Limit
            """;

        public const string Unfinished = """
            SELECT j.id, q.name AS queue, j.kind, j.state, j.attempt, j.max_attempts, j.priority, id_time(j.id) AS created_at, j.run_at
            FROM jobs j
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            WHERE j.project_id = @ProjectId AND j.id < @Before AND j.state = @State
            ORDER BY j.id DESC
            LIMIT @Limit
            """;

        public const string Succeeded = """
            SELECT h.id, q.name AS queue, h.kind, h.outcome, h.attempt, h.max_attempts, h.priority, id_time(h.id) AS created_at,
                h.run_at, h.finished_at
            FROM job_history h
            JOIN queues q ON q.project_id = h.project_id AND q.queue_id = h.queue_id
            WHERE h.project_id = @ProjectId AND h.id < @Before AND h.outcome = 0
            ORDER BY h.id DESC
            LIMIT @Limit
            """;

        // the second condition on outcome is the index's own
        public const string NotSucceeded = """
            SELECT h.id, q.name AS queue, h.kind, h.outcome, h.attempt, h.max_attempts, h.priority, id_time(h.id) AS created_at,
                h.run_at, h.finished_at
            FROM job_history h
            JOIN queues q ON q.project_id = h.project_id AND q.queue_id = h.queue_id
            WHERE h.project_id = @ProjectId AND h.id < @Before AND h.outcome = @State AND h.outcome <> 0
            ORDER BY h.id DESC
            LIMIT @Limit
            """;
    }
}
