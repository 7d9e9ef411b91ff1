using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Bellhop.Infrastructure.Mediation;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Takes how executions ended, up to 200 at once, each with its own answer.</summary>
/// <remarks>
/// An end that is accepted is stored when the answer comes. Told again with the same lease it is a <c>duplicate</c>, which is a success:
/// send it again until there is an answer. An end by a lease that is another's by now counts for nothing.
/// </remarks>
public static class FinishJobs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs/finish", Post)
                .RequirePermission(Permissions.JobsWork)
                .InBucket(RateBucket.Work)
                .WithoutIdempotencyKey()
                .WithBodyLimit(Bulk.MaxBytes)
                .WithName(nameof(FinishJobs))
                .WithTags("Workers")
                .Produces<FinishView>();

        /// <summary>Finish jobs</summary>
        public static async Task<IResult> Post(
            Body<FinishDocument> body,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToHttp(ends =>
                TypedResults.Ok(new FinishView([.. ends.Select(end => Show(http, end.Id, end.Result))]))
            );
        }

        private static EndView Show(HttpContext http, Guid? id, Result<EndStatus> result)
        {
            var problem = result.Problem ?? (result.Unwrap() == EndStatus.Unknown ? JobProblems.NoJob : null);
            return new EndView(
                id,
                problem is not null
                    ? "invalid"
                    : result.Unwrap() switch
                    {
                        EndStatus.Accepted => "accepted",
                        EndStatus.Duplicate => "duplicate",
                        _ => "lease_lost",
                    },
                problem is null ? null : ProblemBody.Of(problem, http.Request.Path, http.TraceIdentifier)
            );
        }
    }

    public sealed record Command(FinishDocument Finish) : IRequest<Result<IReadOnlyList<ToldEnd>>>;

    internal sealed class Handler(WorkerEnds ends, FinishRules rules)
        : IRequestHandler<Command, Result<IReadOnlyList<ToldEnd>>>
    {
        public async Task<Result<IReadOnlyList<ToldEnd>>> Handle(Command request, CancellationToken cancellationToken)
        {
            if (ValidationProblem.Of(rules.Validate(request.Finish)) is { } problem)
            {
                return problem;
            }

            var told = request.Finish.Jobs!;
            var results = await ends.StoreAsync(told, cancellationToken);
            return Result.Of<IReadOnlyList<ToldEnd>>([
                .. told.Select((end, index) => new ToldEnd(end.Id, results[index])),
            ]);
        }
    }
}
