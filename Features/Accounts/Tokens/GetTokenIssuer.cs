using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Shows one issuer of tokens, by its id or its name.</summary>
public static class GetTokenIssuer
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/token-issuers/{id}", Get)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(GetTokenIssuer))
                .WithTags("Token issuers")
                .Produces<TokenIssuerView>();

        /// <summary>Get a token issuer</summary>
        public static async Task<IResult> Get(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(NameOrId Issuer) : IRequest<Result<TokenIssuerView>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<TokenIssuerView>>
    {
        public async Task<Result<TokenIssuerView>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                query.Issuer.Id,
                query.Issuer.Name,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var row = await connection.QuerySingleOrDefaultAsync<TokenIssuerRow>(
                Sql.Find.With(arguments, cancellationToken)
            );
            return row is null ? Problems.NotFound.Because($"There is no token issuer {query.Issuer}.") : row.ToView();
        }
    }

    private static class Sql
    {
        public const string Find = """
            SELECT id, name, issuer, audience, jwks_url, subject, role, access::text AS access, revision, created_at, updated_at
            FROM token_issuers
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text)
            """;
    }
}
