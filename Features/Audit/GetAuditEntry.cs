using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Audit;

/// <summary>Shows one change with what was there before and after it.</summary>
public static class GetAuditEntry
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/audit/{id:guid}", Get)
                .RequirePermission(Permissions.AuditRead)
                .WithName(nameof(GetAuditEntry))
                .WithTags("Audit")
                .Produces<AuditEntryView>();

        /// <summary>Get an audit entry</summary>
        public static async Task<IResult> Get(Guid id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(id), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(Guid Id) : IRequest<Result<AuditEntryView>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<AuditEntryView>>
    {
        public async Task<Result<AuditEntryView>> Handle(Query query, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var row = await connection.QuerySingleOrDefaultAsync<AuditRow>(
                Sql.Find.With(new { caller.ProjectId, query.Id }, cancellationToken)
            );
            return row is null ? Problems.NotFound.Because($"There is no audit entry {query.Id}.") : row.ToView();
        }
    }

    private static class Sql
    {
        public const string Find = """
            SELECT id, at, actor, actor_id, method, address, request_id, action, target, target_id, before::text AS before,
                after::text AS after
            FROM audit_entries
            WHERE project_id = @ProjectId AND id = @Id
            """;
    }
}
