using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>The remote workers of a project, those that came last first. One that was not seen for a day is forgotten.</summary>
public static class ListWorkers
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/workers", Get)
                .RequirePermission(Permissions.JobsRead)
                .WithPagingByTime("first_seen_at")
                .WithName(nameof(ListWorkers))
                .WithTags("Workers")
                .Produces<Page<WorkerView>>();

        /// <summary>List workers</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var page = Paging.Read(http);
            return page.Problem is not null
                ? page.ToHttp(TypedResults.Ok)
                : (await mediator.Send(new Query(page.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(PageRequest Page) : IRequest<Result<Page<WorkerView>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<WorkerView>>>
    {
        public async Task<Result<Page<WorkerView>>> Handle(Query request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<WorkerRow>(
                (request.Page.OldestFirst ? Sql.ListFromOldest : Sql.List).With(
                    new
                    {
                        caller.ProjectId,
                        caller.ReachQueues,
                        request.Page.From,
                        request.Page.Until,
                        request.Page.Take,
                    },
                    cancellationToken
                )
            );
            return request.Page.ToPage([.. rows.Select(row => row.ToView())], worker => worker.Key);
        }
    }

    private static class Sql
    {
        public const string List = $"{Workers}{ListOrder.NewestFirst}";
        public const string ListFromOldest = $"{Workers}{ListOrder.OldestFirst}";

        private const string Workers = """
            SELECT w.key AS id, w.id AS worker_id, w.name, w.version, w.host, w.queues, w.directive, w.first_seen_at, w.last_seen_at, (
                    SELECT count(*)
                    FROM jobs j
                    WHERE j.project_id = @ProjectId AND j.worker_id = w.id AND j.claim_key IS NOT NULL AND j.state = 2
                )::integer AS leases
            FROM workers w
            WHERE w.project_id = @ProjectId AND w.key >= @From AND w.key < @Until
                AND (@ReachQueues::text[] IS NULL OR w.queues && @ReachQueues)
            """;
    }
}
