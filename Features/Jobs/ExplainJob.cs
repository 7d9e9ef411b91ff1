using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Says why a job is not running, what is in its way, and when it starts at the earliest; or that it runs, or how it ended.</summary>
public static class ExplainJob
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/jobs/{id:guid}/why", Get)
                .RequirePermission(Permissions.JobsRead)
                .WithName(nameof(ExplainJob))
                .WithTags("Jobs")
                .Produces<Response>();

        /// <summary>Explain a job</summary>
        public static async Task<IResult> Get(Guid id, IMediator mediator, CancellationToken cancellationToken) =>
            (await mediator.Send(new Query(id), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Query(Guid Id) : IRequest<Result<Response>>;

    /// <param name="Cause">The first thing that is in the way; with nothing in the way <c>behind</c> or <c>next</c>.</param>
    /// <param name="Message">The same as a sentence.</param>
    /// <param name="InTheWay">What it is: a queue, a lane, a job, a worker.</param>
    /// <param name="StartsAt">The earliest start, where it is known.</param>
    /// <param name="Position">How many due jobs of its queue come before it, counted to 10,001.</param>
    public sealed record Response(
        [property: WordOf(typeof(JobCause))] string Cause,
        [property: MaxLength(1_000)] string Message,
        Obstacle? InTheWay,
        DateTime? StartsAt,
        [property: Range(0, JobPlaces.MaxCount)] int? Position
    ) : IExampled<Response>
    {
        public static Response Example =>
            new(JobCause.Paused, "The queue default is paused.", new Obstacle("queue", "default"), null, 12);
    }

    internal sealed class Handler(JobPlaces places, JobKinds kinds, Caller caller, TimeProvider clock)
        : IRequestHandler<Query, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Query request, CancellationToken cancellationToken)
        {
            var place = await places.FindAsync(request.Id, cancellationToken);
            if (place is null || !caller.Reaches(new Traced(place.Queue)))
            {
                return JobProblems.NoJob;
            }

            var cause = JobCause.Of(place, kinds, clock.GetUtcNow().UtcDateTime);
            return new Response(cause.Word, cause.Message, cause.InTheWay, cause.StartsAt, cause.Position);
        }
    }
}
