using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Makes a job due that waits for its time, or for the next attempt. One that is due already stays as it is.</summary>
/// <remarks>It takes its place among those that are due; limits and a pause of its queue hold for it as for others.</remarks>
public static class RunJobNow
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/{id:guid}/run-now", Post)
                .RequirePermission(Permissions.JobsOperate)
                .WithName(nameof(RunJobNow))
                .WithTags("Jobs")
                .Produces<JobView>()
                .ProducesProblems(JobProblems.Finished, JobProblems.Running, JobProblems.Waiting, JobProblems.Internal);

        /// <summary>Run a job now</summary>
        public static async Task<IResult> Post(Guid id, IMediator mediator, CancellationToken cancellationToken) =>
            (await mediator.Send(new Command(id), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed class Verb : CliVerb
    {
        private readonly Argument<Guid> _job = new("job") { Description = "its id" };

        public Verb()
            : base("jobs run-now", "Make a job due that waits for its time.") => Add(_job);

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
                "run-now",
                async (connection, job) =>
                    job.StateWord switch
                    {
                        JobState.Ready => await MakeDueAsync(connection, request.Id, cancellationToken),
                        JobState.Waiting => await MakeDueAsync(connection, request.Id, cancellationToken)
                            ? true
                            : JobProblems.IsWaiting(job.WaitReason),
                        JobState.Running => JobProblems.IsRunning(),
                        var state => JobProblems.IsFinished(state),
                    },
                cancellationToken
            );

        private async Task<bool> MakeDueAsync(
            NpgsqlConnection connection,
            Guid id,
            CancellationToken cancellationToken
        ) => await connection.ExecuteAsync(Sql.MakeDue.With(new { caller.ProjectId, Id = id }, cancellationToken)) > 0;
    }

    private static class Sql
    {
        // a job of a lane waits there, also while it is not due
        public const string MakeDue = """
            UPDATE jobs
            SET run_at = now()
            WHERE project_id = @ProjectId AND id = @Id AND (state = 1 OR (state = 0 AND wait_reason = 1)) AND run_at > now()
            """;
    }
}
