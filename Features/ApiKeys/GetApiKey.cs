using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.ApiKeys;

/// <summary>Shows one API key, by its id, or by its name while it is not revoked; never the key itself.</summary>
public static class GetApiKey
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/api-keys/{id}", Get)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(GetApiKey))
                .WithTags("API keys")
                .Produces<ApiKeyView>();

        /// <summary>Get an API key</summary>
        public static async Task<IResult> Get(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(NameOrId Key) : IRequest<Result<ApiKeyView>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller, TimeProvider clock)
        : IRequestHandler<Query, Result<ApiKeyView>>
    {
        public async Task<Result<ApiKeyView>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                query.Key.Id,
                query.Key.Name,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var row = await connection.QuerySingleOrDefaultAsync<ApiKeyRow>(
                Sql.Find.With(arguments, cancellationToken)
            );
            return row is null ? StoredKeys.NoKey(query.Key) : row.ToView(clock.GetUtcNow().UtcDateTime);
        }
    }

    private static class Sql
    {
        public const string Find = """
            SELECT id, key_id, name, role, access::text AS access, created_at, created_by, expires_at, last_used_at, rotated_at,
                old_expires_at, revoked_at, revision, updated_at
            FROM api_keys
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR (name = @Name::text AND revoked_at IS NULL))
            """;
    }
}
