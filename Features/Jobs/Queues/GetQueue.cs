using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Shows one queue, by its id or its name.</summary>
public static class GetQueue
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/queues/{id}", Get)
                .RequirePermission(Permissions.QueuesRead)
                .WithName(nameof(GetQueue))
                .WithTags("Queues")
                .Produces<QueueView>();

        /// <summary>Get a queue</summary>
        public static async Task<IResult> Get(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _queue = new("--name") { Description = "its name or id", Required = true };

        public Verb()
            : base("queues show", "Show a queue and what it promises.") => Add(_queue);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Query(NameOrId.Parse(session.Get(_queue)!)),
                queue => queue.ToLines(),
                cancellationToken
            );
    }

    public sealed record Query(NameOrId Queue) : IRequest<Result<QueueView>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller) : IRequestHandler<Query, Result<QueueView>>
    {
        public async Task<Result<QueueView>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachQueues,
                query.Queue.Id,
                query.Queue.Name,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var row = await connection.QuerySingleOrDefaultAsync<QueueRow>(Sql.Find.With(arguments, cancellationToken));
            return row is null ? Problems.NotFound.Because($"There is no queue {query.Queue}.") : row.ToView();
        }
    }

    private static class Sql
    {
        public const string Find = """
            SELECT id, name, served_by, paused_at, max_running, rate_count, rate_seconds, rate_burst, lane_limit, lane_ordered,
                weight, max_depth, lease_seconds, max_run_seconds, retry::text AS retry, revision, created_at, updated_at
            FROM queues
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
                AND (@ReachQueues::text[] IS NULL OR name = ANY (@ReachQueues))
            """;
    }
}
