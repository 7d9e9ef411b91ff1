using Bellhop.Features.Connections.Checking;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Connections;

/// <summary>Connects to the outside system, and says step by step what works and what would be right where it does not.</summary>
/// <remarks>
/// It takes ten seconds at most and changes nothing there: no message is sent, no row or object written. What fails is an answer
/// like any other; the first step that fails is the last.
/// </remarks>
public static class CheckConnection
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/connections/{id}/check", Post)
                .RequirePermission(Permissions.ConnectionsOperate)
                .WithoutIdempotencyKey()
                .WithName(nameof(CheckConnection))
                .WithTags("Connections")
                .Produces<CheckReport>();

        /// <summary>Check a connection</summary>
        public static async Task<IResult> Post(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Command(id), cancellationToken);
            return result.ToHttp(TypedResults.Ok);
        }
    }

    public sealed record Command(string Connection) : IRequest<Result<CheckReport>>;

    internal sealed class Handler(
        NpgsqlDataSource database,
        ConnectionCache connections,
        IEnumerable<IConnectionCheck> checks,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<CheckReport>>
    {
        private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

        public async Task<Result<CheckReport>> Handle(Command command, CancellationToken cancellationToken)
        {
            var found = await IsReachedAsync(command.Connection, cancellationToken)
                ? await connections.FindNowAsync(caller.ProjectId, command.Connection, cancellationToken)
                : null;
            if (found is not { } connection)
            {
                return Problems.NotFound.Because($"There is no connection {command.Connection}.");
            }

            var check = checks.Single(one => one.Kinds.Contains(connection.Kind));
            var steps = new CheckSteps(check.StepsOf(connection), clock);
            using var deadline = new CancellationTokenSource(Timeout, clock);
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
            try
            {
                await check.RunAsync(connection, steps, linked.Token);
            }
            catch (OperationCanceledException) when (deadline.IsCancellationRequested)
            {
                steps.Fail($"No answer came within the {Timeout.TotalSeconds:0} seconds that a check takes.");
            }

            return steps.ToReport();
        }

        private async Task<bool> IsReachedAsync(string nameOrId, CancellationToken cancellationToken)
        {
            var which = NameOrId.Parse(nameOrId);
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachTags,
                caller.ReachOwner,
                which.Id,
                which.Name,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            return await connection.ExecuteScalarAsync<int>(Sql.Count.With(arguments, cancellationToken)) > 0;
        }
    }

    private static class Sql
    {
        public const string Count =
            "SELECT count(*) FROM connections WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text)"
            + Reach.Rows;
    }
}
