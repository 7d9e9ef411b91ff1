using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Carter;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Cancels a job: at once where it is not running, else whoever runs it is told to stop and has a while to do so.</summary>
/// <remarks>
/// A job that is told to stop is canceled when its handler ends, unless it succeeds all the same; it is never tried again. After
/// <c>grace_seconds</c>, or at once with <c>force</c>, it is canceled whatever its handler does, and what that still says counts for
/// nothing; what it has done outside stays done. What continues the job goes on, and is told that it was canceled.
/// </remarks>
public static class CancelJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/{id:guid}/cancel", Post)
                .RequirePermission(Permissions.JobsOperate)
                .WithName(nameof(CancelJob))
                .WithTags("Jobs")
                .Produces<JobView>()
                .Produces<JobView>(StatusCodes.Status202Accepted)
                .ProducesProblems(JobProblems.Finished, JobProblems.Internal, Problems.Invalid);

        /// <summary>Cancel a job</summary>
        public static async Task<IResult> Post(
            Guid id,
            Body<JobCancel> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(id, body.Value.Force, body.Value.GraceSeconds);
            return (await mediator.Send(command, cancellationToken)).ToHttp(job =>
                job.State == JobState.Running ? TypedResults.Accepted($"/v1/jobs/{job.Id}", job) : TypedResults.Ok(job)
            );
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Argument<Guid> _job = new("job") { Description = "its id" };
        private readonly Option<bool> _force = new("--force") { Description = "whatever its handler does" };
        private readonly Option<int> _grace = new("--grace-seconds")
        {
            Description = "how long its handler has to stop",
            DefaultValueFactory = _ => JobCancel.UsualGraceSeconds,
        };

        public Verb()
            : base("jobs cancel", "Cancel a job; one that runs is told to stop.") => Add(_job, _force, _grace);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(session.Get(_job), session.Get(_force), session.Get(_grace)),
                job => $"{job.Id} {job.State}",
                cancellationToken
            );
    }

    public sealed record Command(Guid Id, bool Force = false, int GraceSeconds = JobCancel.UsualGraceSeconds)
        : IRequest<Result<JobView>>;

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() => RuleFor(command => command.GraceSeconds).InclusiveBetween(0, JobCancel.MaxGraceSeconds);
    }

    internal sealed class Handler(JobActions actions, Caller caller) : IRequestHandler<Command, Result<JobView>>
    {
        public Task<Result<JobView>> Handle(Command request, CancellationToken cancellationToken) =>
            actions.TakeAsync(
                request.Id,
                "cancel",
                async (connection, job) =>
                {
                    if (job.IsOver)
                    {
                        return job.StateWord == JobState.Canceled ? false : JobProblems.IsFinished(job.StateWord);
                    }

                    var grace = TimeSpan.FromSeconds(request.GraceSeconds);
                    var canceled = await JobCancels.CancelAsync(
                        connection,
                        caller.ProjectId,
                        [request.Id],
                        request.Force,
                        grace,
                        cancellationToken
                    );
                    return canceled.Count > 0;
                },
                cancellationToken
            );
    }
}
