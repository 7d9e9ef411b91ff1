using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Lists the queues, the newest first; those that every project has among them.</summary>
public static class ListQueues
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/queues", Get)
                .RequirePermission(Permissions.QueuesRead)
                .WithPagingByTime("created_at")
                .WithName(nameof(ListQueues))
                .WithTags("Queues")
                .Produces<Page<QueueView>>();

        /// <summary>List queues</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(paging.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed class Verb : CliVerb
    {
        public Verb()
            : base("queues list", "List the queues, the newest first; 200 at most.") { }

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Query(PageRequest.First(PageRequest.MaxLimit)),
                // columns apart by tabs, for cut and awk
                queues =>
                    string.Join(
                        '\n',
                        queues.Items.Select(queue =>
                            $"{queue.Name}\t{queue.ServedBy}\t{(queue.PausedAt is null ? "active" : "paused")}"
                        )
                    ),
                cancellationToken
            );
    }

    public sealed record Query(PageRequest Page) : IRequest<Result<Page<QueueView>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<QueueView>>>
    {
        public async Task<Result<Page<QueueView>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachQueues,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<QueueRow>(
                (query.Page.OldestFirst ? Sql.ListFromOldest : Sql.List).With(arguments, cancellationToken)
            );
            QueueView[] queues = [.. rows.Select(row => row.ToView())];
            return query.Page.ToPage(queues, queue => queue.Id);
        }
    }

    private static class Sql
    {
        public const string List = Rows + ListOrder.NewestFirst;
        public const string ListFromOldest = Rows + ListOrder.OldestFirst;

        private const string Rows = """
            SELECT id, name, served_by, paused_at, max_running, rate_count, rate_seconds, rate_burst, lane_limit, lane_ordered,
                weight, max_depth, lease_seconds, max_run_seconds, retry::text AS retry, revision, created_at, updated_at
            FROM queues
            WHERE project_id = @ProjectId AND id >= @From AND id < @Until AND deleted_at IS NULL
                AND (@ReachQueues::text[] IS NULL OR name = ANY (@ReachQueues))
            """;
    }
}
