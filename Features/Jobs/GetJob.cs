using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>One job with every attempt that did not succeed.</summary>
/// <remarks>What was sent along and what came of it, <c>args</c> and <c>result</c>, is left out for callers without <c>data:read</c>.</remarks>
public static class GetJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/jobs/{id:guid}", Get)
                .RequirePermission(Permissions.JobsRead)
                .WithName(nameof(GetJob))
                .WithTags("Jobs")
                .Produces<JobView>();

        /// <summary>Get a job</summary>
        public static async Task<IResult> Get(Guid id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(id), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Argument<Guid> _job = new("job") { Description = "its id" };

        public Verb()
            : base("jobs show", "Show a job: where it is, and how often it was tried.") => Add(_job);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(new Query(session.Get(_job)), Describe, cancellationToken);

        private static string Describe(JobView job) =>
            string.Join(
                '\n',
                job.Attempts.Select(attempt =>
                        $"attempt {attempt.Attempt}\t{attempt.Outcome}\t{attempt.At:O}\t{attempt.Error}"
                    )
                    .Prepend($"{job.Id}\t{job.Queue}\t{job.Kind}\t{job.WaitReason ?? job.State}\tdue {job.RunAt:O}")
            );
    }

    public sealed record Query(Guid Id) : IRequest<Result<JobView>>;

    internal sealed class Handler(JobViews jobs) : IRequestHandler<Query, Result<JobView>>
    {
        public async Task<Result<JobView>> Handle(Query request, CancellationToken cancellationToken)
        {
            var job = await jobs.FindAsync(request.Id, cancellationToken);
            return job is null ? JobProblems.NoJob : job;
        }
    }
}
