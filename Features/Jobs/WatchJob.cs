using System.Runtime.CompilerServices;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Streams a job as it is and after each change, until it is over.</summary>
/// <remarks>
/// Server-sent events named <c>job</c>, each with the whole job as GET shows it. Who comes again with <c>Last-Event-ID</c> is told
/// only what that was not. Changes that follow each other within a quarter of a second may be told as one.
/// </remarks>
public static class WatchJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/jobs/{id:guid}/events", Get)
                .RequirePermission(Permissions.JobsRead)
                .WithName(nameof(WatchJob))
                .WithTags("Jobs")
                .ProducesEvents<JobView>("job", "1-succeeded")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>Watch a job</summary>
        public static async Task<IResult> Get(
            Guid id,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Query(id, EventStream.LastId(http.Request)), cancellationToken);
            return result.ToHttp(events => events is null ? TypedResults.NoContent() : new EventStream(events));
        }
    }

    /// <param name="After">The id of the last event that was seen.</param>
    public sealed record Query(Guid Id, string? After) : IRequest<Result<IAsyncEnumerable<StreamEvent?>?>>;

    internal sealed class Handler(JobViews jobs, JobWatch watch, Caller caller, TimeProvider clock)
        : IRequestHandler<Query, Result<IAsyncEnumerable<StreamEvent?>?>>
    {
        /// <returns>Null: the caller has seen the end, and no browser is to come again (204).</returns>
        public async Task<Result<IAsyncEnumerable<StreamEvent?>?>> Handle(
            Query request,
            CancellationToken cancellationToken
        )
        {
            if (!await jobs.IsThereAsync(request.Id, cancellationToken))
            {
                return JobProblems.NoJob;
            }

            return Result.Of(
                await SawTheEndAsync(request, cancellationToken) ? null : FollowAsync(request, cancellationToken)
            );
        }

        private async Task<bool> SawTheEndAsync(Query request, CancellationToken cancellationToken) =>
            JobState.Finished.Any(state => request.After?.EndsWith($"-{state}", StringComparison.Ordinal) == true)
            && await jobs.FindAsync(request.Id, cancellationToken) is { } job
            && request.After!.EndsWith($"-{job.State}", StringComparison.Ordinal);

        private async IAsyncEnumerable<StreamEvent?> FollowAsync(
            Query request,
            [EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            await foreach (var step in watch.FollowAsync(caller.ProjectId, request.Id, cancellationToken))
            {
                if (step is null || step.Tag == request.After)
                {
                    yield return null;
                    continue;
                }

                var shown = step.Shown.ReadAsync(caller.May(Permissions.DataRead), clock, request.Id, ReadAsync);
                if (await shown.WaitAsync(cancellationToken) is { } job)
                {
                    yield return new StreamEvent(step.Tag, "job", job);
                }
            }
        }

        // for whoever follows the job: not even a request that is over takes it back
        private async Task<byte[]?> ReadAsync(Guid id) =>
            await jobs.FindAsync(id, CancellationToken.None) is { } job
                ? JsonSerializer.SerializeToUtf8Bytes(job, JsonRules.Options)
                : null;
    }
}
