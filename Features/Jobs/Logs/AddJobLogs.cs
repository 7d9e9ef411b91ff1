using Bellhop.Features.Jobs.Workers;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Bellhop.Infrastructure.Mediation;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>Adds lines to the log of a job, sent by the worker that executes it.</summary>
/// <remarks>
/// The worker numbers its lines, from 1 for each lease. A line is stored once: send the same request again until there is an answer,
/// and go on at <c>next_seq</c>. Lines by a lease that is another's by now are refused and stored nowhere.
/// </remarks>
public static class AddJobLogs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/{id:guid}/logs", Post)
                .RequirePermission(Permissions.JobsWork)
                .InBucket(RateBucket.Work)
                .WithoutIdempotencyKey()
                .WithBodyLimit(Bulk.MaxBytes)
                .WithName(nameof(AddJobLogs))
                .WithTags("Workers")
                .Produces<Response>()
                .ProducesProblems(JobProblems.LeaseLost, Problems.Invalid);

        /// <summary>Add lines to a job's log</summary>
        public static async Task<IResult> Post(
            Guid id,
            Body<LogDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(id, body.Value), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(Guid Id, LogDocument Log) : IRequest<Result<Response>>;

    /// <param name="NextSeq">The number of the first line that is not stored yet.</param>
    public sealed record Response(int NextSeq) : IExampled<Response>
    {
        public static Response Example => new(2);
    }

    internal sealed class Handler(Databases databases, JobViews jobs, LogRules rules, Caller caller, TimeProvider clock)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            if (ValidationProblem.Of(rules.Validate(request.Log)) is { } problem)
            {
                return problem;
            }

            if (await AppendAsync(request, cancellationToken).WaitPatientlyAsync(cancellationToken) is { } next)
            {
                return new Response(next);
            }

            return await jobs.IsThereAsync(request.Id, cancellationToken)
                ? JobProblems.LeaseLost.Because(
                    "Somebody else has the job by now, or nobody; the lines are not stored."
                )
                : JobProblems.NoJob;
        }

        private async Task<int?> AppendAsync(Command request, CancellationToken cancellationToken)
        {
            // of another queue than the caller's there is no such job, whatever lease is shown
            var isThere = caller.ReachQueues is null || await jobs.IsThereAsync(request.Id, cancellationToken);
            if (!isThere || Lease.Parse(request.Log.Lease) is not { } lease)
            {
                return null;
            }

            await using var connection = await databases.Workers.OpenConnectionAsync(cancellationToken);
            var lines = request.Log.ToLines(caller.ProjectId, request.Id, lease, clock.GetUtcNow().UtcDateTime);
            return (await JobLogStore.AppendAsync(connection, [lines], cancellationToken))[0];
        }
    }
}
