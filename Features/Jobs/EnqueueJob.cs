using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Puts a job on a queue, to run now or later.</summary>
/// <remarks>
/// The job is stored when the answer comes. Sending the request again makes another job, but under the same
/// <c>Idempotency-Key</c>. With <c>Prefer: wait=N</c> a job that ends within N seconds, 60 at most, is answered as it ended.
/// </remarks>
public static class EnqueueJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs", Post)
                .RequirePermission(Permissions.JobsWrite)
                .WithWait(AwaitedJob.UntilOverAsync)
                .WithName(nameof(EnqueueJob))
                .WithTags("Jobs")
                .Produces<Response>(StatusCodes.Status201Created)
                .Produces<Response>()
                .Produces<JobView>()
                .ProducesProblems(
                    JobProblems.UnknownQueue,
                    JobProblems.UnknownKind,
                    JobProblems.KeyTaken,
                    JobProblems.QueueFull,
                    JobProblems.UnknownJob,
                    JobProblems.ParentFailed,
                    JobProblems.NotHeld,
                    JobProblems.Cycle,
                    JobProblems.TooManyChildren,
                    Problems.Busy
                );

        /// <summary>Enqueue a job</summary>
        public static async Task<IResult> Post(
            Body<JobDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToHttp(job =>
                job.Duplicate ? (IResult)TypedResults.Ok(job) : TypedResults.Created($"/v1/jobs/{job.Id}", job)
            );
        }
    }

    public sealed record Command(JobDocument Job) : IRequest<Result<Response>>;

    /// <param name="Duplicate">Its key is held by another job, whose <paramref name="Id"/> this is.</param>
    /// <param name="State">Of a job of which nothing but its key is left: <c>canceled</c>.</param>
    public sealed record Response(Guid Id, [property: WordOf(typeof(JobState))] string State, bool Duplicate)
        : IExampled<Response>
    {
        public static Response Example => new(Story.Job, JobState.Ready, Duplicate: false);
    }

    internal sealed class Handler(EnqueuedJobs jobs) : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            var results = await jobs.EnqueueAsync([request.Job], isAtomic: true, cancellationToken);
            return results[0].Problem is { } problem
                ? problem
                : new Response(results[0].Unwrap().Id, results[0].Unwrap().State, !results[0].Unwrap().IsNew);
        }
    }
}
