using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Keeps a job that is not running from being begun, until it is freed. A job that is held stays so.</summary>
public static class HoldJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/{id:guid}/hold", Post)
                .RequirePermission(Permissions.JobsOperate)
                .WithName(nameof(HoldJob))
                .WithTags("Jobs")
                .Produces<JobView>()
                .ProducesProblems(JobProblems.Finished, JobProblems.Running, JobProblems.Internal);

        /// <summary>Hold a job</summary>
        public static async Task<IResult> Post(Guid id, IMediator mediator, CancellationToken cancellationToken) =>
            (await mediator.Send(new Command(id), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed class Verb : CliVerb
    {
        private readonly Argument<Guid> _job = new("job") { Description = "its id" };

        public Verb()
            : base("jobs hold", "Keep a job from being begun, until it is freed.") => Add(_job);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(new Command(session.Get(_job)), job => $"{job.Id} {job.State}", cancellationToken);
    }

    public sealed record Command(Guid Id) : IRequest<Result<JobView>>;

    internal sealed class Handler(JobActions actions, Caller caller) : IRequestHandler<Command, Result<JobView>>
    {
        public Task<Result<JobView>> Handle(Command request, CancellationToken cancellationToken) =>
            actions.TakeAsync(
                request.Id,
                "hold",
                async (connection, job) =>
                    job.StateWord switch
                    {
                        JobState.Ready or JobState.Waiting => await connection.ExecuteAsync(
                            Sql.Hold.With(new { caller.ProjectId, request.Id }, cancellationToken)
                        ) > 0,
                        JobState.Running => JobProblems.IsRunning(),
                        var state => JobProblems.IsFinished(state),
                    },
                cancellationToken
            );
    }

    private static class Sql
    {
        public const string Hold = """
            UPDATE jobs
            SET state = 0, wait_reason = 3
            WHERE project_id = @ProjectId AND id = @Id AND state < 2 AND wait_reason <> 3
            """;
    }
}
