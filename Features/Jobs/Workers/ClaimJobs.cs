using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Bellhop.Infrastructure.Mediation;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Gives a worker jobs to execute, and waits for some where there are none.</summary>
/// <remarks>
/// Each job is the worker's until its lease ends, and nobody else's: extend it by heartbeats, and finish it. Who does neither loses it.
/// While nothing is due the call waits, without a connection to the database; the worker that has waited longest is given what comes.
/// </remarks>
public static class ClaimJobs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/claim", Post)
                .RequirePermission(Permissions.JobsWork)
                .InBucket(RateBucket.Work)
                .WithoutIdempotencyKey()
                .WithName(nameof(ClaimJobs))
                .WithTags("Workers")
                .Produces<ClaimView>()
                .ProducesProblems(
                    JobProblems.UnknownQueue,
                    JobProblems.NotOfWorkers,
                    JobProblems.QueueNotAllowed,
                    JobProblems.TooManyLeases,
                    Problems.Busy
                );

        /// <summary>Claim jobs</summary>
        public static async Task<IResult> Post(
            Body<ClaimDocument> body,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToHttp(claim => new HandedClaim(
                claim.View,
                claim.Claim,
                body.Value.ClaimKey!.Value,
                http.RequestServices.GetRequiredService<WorkerClaims>()
            ));
        }
    }

    public sealed record Command(ClaimDocument Claim) : IRequest<Result<Response>>;

    /// <summary>What is claimed, and how it is shown.</summary>
    public sealed record Response
    {
        internal Response(WorkerClaim claim, ClaimView view) => (Claim, View) = (claim, view);

        internal WorkerClaim Claim { get; }

        public ClaimView View { get; }
    }

    internal sealed class Handler(
        WorkerClaims claims,
        WorkerRegistry registry,
        WorkerDesk desk,
        ClaimRules rules,
        Caller caller,
        IHostApplicationLifetime lifetime,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Response>>
    {
        private const int Rest = 5;

        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            var asked = request.Claim;
            if ((ValidationProblem.Of(rules.Validate(asked)) ?? CheckReach(asked)) is { } problem)
            {
                return problem;
            }

            var began = clock.GetTimestamp();
            var names = asked.Queues!.Select(queue => queue.Name!).Distinct(StringComparer.Ordinal).ToArray();
            using var waiter = desk.Join(
                caller.ProjectId,
                asked.Worker!.Id!.Value,
                asked.ClaimKey!.Value,
                names,
                asked.Max
            );
            for (var mayWait = asked.WaitSeconds > 0; ; mayWait = false)
            {
                waiter.Park(); // before anything is looked at: what comes in between wakes it
                var directive = await registry.SawAsync(caller.ProjectId, asked.Worker, names, cancellationToken);
                if (directive != Directive.Run)
                {
                    return Answer(WorkerClaim.Nothing, directive, Rest);
                }

                if (mayWait && desk.MayWait(waiter))
                {
                    if (await waiter.WaitAsync(Left(), cancellationToken))
                    {
                        continue;
                    }

                    return Answer(WorkerClaim.Nothing, directive, 0);
                }

                var taken = await claims.TakeAsync(caller, asked, cancellationToken);
                if (taken is null)
                {
                    return Problems.Busy.Because("Many workers claim at this moment.") with
                    {
                        RetryAfterSeconds = Random.Shared.Next(1, 6),
                    };
                }

                if (taken.Value.Problem is { } refused)
                {
                    return refused;
                }

                var claim = taken.Value.Unwrap();
                if (claim is { Jobs.Count: 0, Held: >= WorkerClaims.MaxHeld })
                {
                    return JobProblems.TooManyLeases.Because(
                        $"The worker holds {claim.Held} jobs; {WorkerClaims.MaxHeld} are the most."
                    );
                }

                if (
                    claim.Jobs.Count > 0
                    || claim.Signals.Count > 0
                    || Left() == TimeSpan.Zero
                    || lifetime.ApplicationStopping.IsCancellationRequested
                    || !await waiter.WaitAsync(Left(), cancellationToken)
                )
                {
                    return Answer(claim, directive, 0);
                }
            }

            TimeSpan Left()
            {
                var left = TimeSpan.FromSeconds(asked.WaitSeconds) - clock.GetElapsedTime(began);
                return left > TimeSpan.Zero ? left : TimeSpan.Zero;
            }

            Response Answer(WorkerClaim claim, string directive, int retryInSeconds)
            {
                if (claim.Jobs.Count == 0)
                {
                    desk.TellNothing(waiter);
                }

                return new(
                    claim,
                    new ClaimView(
                        [.. claim.Jobs.Select(row => WorkView.Of(row, asked.ClaimKey!.Value))],
                        claim.Signals,
                        directive,
                        retryInSeconds
                    )
                );
            }
        }

        private Problem? CheckReach(ClaimDocument asked)
        {
            for (var index = 0; index < asked.Queues!.Count; index++)
            {
                if (!caller.Reaches(new Traced(asked.Queues[index].Name!)))
                {
                    return JobProblems.QueueNotAllowed.Because(
                        $"What proves the caller is narrowed to other queues than {asked.Queues[index].Name}.",
                        FieldError.At($"/queues/{index}/name", "queue_not_allowed", "Name a queue the key is for.")
                    );
                }
            }

            return null;
        }
    }
}
