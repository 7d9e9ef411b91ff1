using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>The jobs of a project, newest first: unfinished ones and those whose history is still kept.</summary>
/// <remarks>
/// A page looks at ten thousand jobs at most. Where few of them fit its filters it may hold fewer than asked for, or none, and the
/// list ends where <c>next_cursor</c> is null.
/// </remarks>
public static class ListJobs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/jobs", Get)
                .RequirePermission(Permissions.JobsRead)
                .WithPagingByTime(
                    "created_at",
                    new ListFilter("state", JobState.All),
                    new ListFilter("queue", Example: "default"),
                    new ListFilter("kind", Example: "log"),
                    new ListFilter("tag", Example: "nightly"),
                    new ListFilter("lane", Example: "customer 1042"),
                    new ListFilter("worker", Example: $"{Story.Worker}")
                )
                .WithName(nameof(ListJobs))
                .WithTags("Jobs")
                .Produces<Page<Response>>();

        /// <summary>List jobs</summary>
        /// <remarks>
        /// Filters can be combined. Each page looks at ten thousand jobs at most: where few of them fit, it may hold fewer items than the
        /// limit, or none, and the list ends where next_cursor is null. What has a lane or a rare tag, and what failed, was canceled or
        /// expired of a kind or a queue, is found at once.
        /// </remarks>
        public static async Task<IResult> Get(
            string? state,
            string? queue,
            string? kind,
            string? tag,
            string? lane,
            string? worker,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var page = Paging.Read(http);
            return page.Problem is not null
                ? page.ToHttp(TypedResults.Ok)
                : (
                    await mediator.Send(
                        new Query(page.Unwrap(), state, queue, kind, tag, lane, worker),
                        cancellationToken
                    )
                ).ToHttp(http);
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string?> _state = new("--state") { Description = "only jobs in this state" };
        private readonly Option<string?> _queue = new("--queue") { Description = "only jobs of this queue" };
        private readonly Option<string?> _kind = new("--kind") { Description = "only jobs of this kind" };
        private readonly Option<string?> _tag = new("--tag") { Description = "only jobs with this tag" };
        private readonly Option<string?> _lane = new("--lane") { Description = "only jobs of this lane" };
        private readonly Option<string?> _worker = new("--worker") { Description = "only jobs this worker has or had" };
        private readonly Option<int> _limit = new("--limit")
        {
            Description = $"how many, {PageRequest.MaxLimit} at most",
            DefaultValueFactory = _ => PageRequest.DefaultLimit,
        };

        public Verb()
            : base("jobs list", "List jobs, the newest first.") =>
            Add(_state, _queue, _kind, _tag, _lane, _worker, _limit);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            var page = PageRequest.First(Math.Clamp(session.Get(_limit), 1, PageRequest.MaxLimit));
            return session.SendAsync(
                new Query(
                    page,
                    session.Get(_state),
                    session.Get(_queue),
                    session.Get(_kind),
                    session.Get(_tag),
                    session.Get(_lane),
                    session.Get(_worker),
                    IsThorough: true
                ),
                // columns apart by tabs, for cut and awk
                jobs => string.Join('\n', jobs.Items.Select(job => $"{job.Id}\t{job.Queue}\t{job.Kind}\t{job.State}")),
                cancellationToken
            );
        }
    }

    /// <param name="Worker">Its id.</param>
    /// <param name="IsThorough">Fills the page, however many jobs have to be looked at for that.</param>
    public sealed record Query(
        PageRequest Page,
        string? State = null,
        string? Queue = null,
        string? Kind = null,
        string? Tag = null,
        string? Lane = null,
        string? Worker = null,
        bool IsThorough = false
    ) : IRequest<Result<Page<Response>>>;

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

    internal sealed class Handler(JobSearch search) : IRequestHandler<Query, Result<Page<Response>>>
    {
        public async Task<Result<Page<Response>>> Handle(Query request, CancellationToken cancellationToken)
        {
            if (request.State is { } state && !JobState.All.Contains(state))
            {
                return Invalid("state", $"One of {string.Join(", ", JobState.All)}.");
            }

            var worker = Guid.Empty;
            if (request.Worker is not null && !Guid.TryParseExact(request.Worker, "D", out worker))
            {
                return Invalid("worker", "The id of a worker.");
            }

            var traits = new JobTraits(
                request.State,
                request.Queue,
                request.Kind,
                request.Tag,
                request.Lane,
                request.Worker is null ? null : worker
            );
            var found = await search.FindAsync(traits, request.Page, request.IsThorough, cancellationToken);
            return new Page<Response>([.. found.Items.Select(ToResponse)], found.NextCursor);
        }

        private static Problem Invalid(string parameter, string message) =>
            Problems.InvalidParameter.Because(
                $"{parameter}: {message}",
                FieldError.InParameter(parameter, "invalid", message)
            );

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
}
