using System.CommandLine;
using System.Runtime.CompilerServices;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Tail;

/// <summary>Streams which jobs of a project begin and end, while they do.</summary>
/// <remarks>
/// Server-sent events: <c>started</c> and <c>ended</c>, each with the job, never what it was given or gave. Every end is told once, in the
/// order of the ends and about a second later; what begins and ends within a quarter of a second may be told as ended only. Who comes
/// again with <c>Last-Event-ID</c> is told what ended meanwhile, but not what began. Where more happened than can be told, or an id is of no
/// use or older than a day, an event <c>gap</c> says so: <c>{"count":n}</c>, or null where nobody counted.
/// </remarks>
public static class WatchJobs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/jobs/events", Get)
                .RequirePermission(Permissions.JobsRead)
                .WithFilters(
                    new ListFilter("queue", Example: "default"),
                    new ListFilter("kind", Example: "log"),
                    new ListFilter("state", TailFilter.States)
                )
                .WithName(nameof(WatchJobs))
                .WithTags("Jobs")
                .ProducesEvents<TailedJob>("ended", $"{new TailPlace(Story.After(15), Story.Job)}")
                .ProducesProblems(JobProblems.TooManyViewers);

        /// <summary>Watch the jobs of a project</summary>
        /// <remarks>
        /// Events named started and ended, each with a job. An event named gap, with a count or null, stands where more happened than was
        /// told. The Last-Event-ID of who comes again is the place behind which ends are told.
        /// </remarks>
        public static async Task<IResult> Get(
            string? queue,
            string? kind,
            string? state,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var query = new Query(queue, kind, state, EventStream.LastId(http.Request));
            var result = await mediator.Send(query, cancellationToken);
            return result.ToHttp(events => new EventStream(Write(events)));
        }

        private static async IAsyncEnumerable<StreamEvent?> Write(
            IAsyncEnumerable<TailEvent?> events,
            [EnumeratorCancellation] CancellationToken cancellationToken = default
        )
        {
            await foreach (var told in events.WithCancellation(cancellationToken))
            {
                yield return told is null ? null : new StreamEvent(told.Id, told.Name, told.Data);
            }
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string?> _queue = new("--queue") { Description = "only jobs of this queue" };
        private readonly Option<string?> _kind = new("--kind") { Description = "only jobs of this kind" };
        private readonly Option<string?> _state = new("--state") { Description = "only what comes to this state" };

        public Verb()
            : base("jobs watch", "Print which jobs begin and end, until it is interrupted.") =>
            Add(_queue, _kind, _state);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.WatchAsync(
                new Query(session.Get(_queue), session.Get(_kind), session.Get(_state), null),
                async (events, _) =>
                {
                    await foreach (var told in events.WithCancellation(cancellationToken))
                    {
                        if (told?.Job is { } job)
                        {
                            session.Print(job, Describe);
                        }
                        else if (told is not null)
                        {
                            session.Print(told.Gap!, gap => $"\tgap\t{gap.Count}");
                        }
                    }
                },
                cancellationToken
            );

        // columns apart by tabs, for cut and awk
        private static string Describe(TailedJob job) =>
            $"{job.FinishedAt ?? job.StartedAt:O}\t{job.State}\t{job.Id}\t{job.Queue}\t{job.Kind}\t{job.Attempt}\t{job.ErrorCode}";
    }

    /// <param name="State">One that a job begins or ends with.</param>
    /// <param name="After">The id of the last event that was seen.</param>
    public sealed record Query(string? Queue, string? Kind, string? State, string? After)
        : IRequest<Result<IAsyncEnumerable<TailEvent?>>>;

    internal sealed class Handler(JobTail tail, Caller caller)
        : IRequestHandler<Query, Result<IAsyncEnumerable<TailEvent?>>>
    {
        public async Task<Result<IAsyncEnumerable<TailEvent?>>> Handle(
            Query request,
            CancellationToken cancellationToken
        )
        {
            if (request.State is { } state && !TailFilter.States.Contains(state, StringComparer.Ordinal))
            {
                var message = $"One of {string.Join(", ", TailFilter.States)}.";
                return Problems.InvalidParameter.Because(
                    $"state: {message}",
                    FieldError.InParameter("state", "invalid", message)
                );
            }

            if (tail.IsFull(caller.ProjectId))
            {
                return JobProblems.TooManyViewers.Because(JobProblems.TooManyViewers.Example!.Detail) with
                {
                    RetryAfterSeconds = 5,
                };
            }

            // the queues that a list would show the jobs of
            var queues =
                request.Queue is null ? caller.ReachQueues
                : caller.ReachQueues?.Contains(request.Queue, StringComparer.Ordinal) == false ? []
                : [request.Queue];
            var start = await tail.BeginAsync(request.After, cancellationToken);
            var filter = new TailFilter(queues, request.Kind, request.State);
            return Result.Of(tail.FollowAsync(caller.ProjectId, filter, start, CancellationToken.None));
        }
    }
}
