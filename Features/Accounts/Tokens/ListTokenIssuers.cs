using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Lists the issuers whose tokens the project takes, the newest first.</summary>
public static class ListTokenIssuers
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/token-issuers", Get)
                .RequirePermission(Permissions.MembersManage)
                .WithPagingByTime("created_at")
                .WithName(nameof(ListTokenIssuers))
                .WithTags("Token issuers")
                .Produces<Page<TokenIssuerView>>();

        /// <summary>List token issuers</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(paging.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(PageRequest Page) : IRequest<Result<Page<TokenIssuerView>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<TokenIssuerView>>>
    {
        public async Task<Result<Page<TokenIssuerView>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<TokenIssuerRow>(
                (query.Page.OldestFirst ? Sql.AllFromOldest : Sql.All).With(arguments, cancellationToken)
            );
            TokenIssuerView[] issuers = [.. rows.Select(row => row.ToView())];
            return query.Page.ToPage(issuers, issuer => issuer.Id);
        }
    }

    private static class Sql
    {
        public const string All = Rows + ListOrder.NewestFirst;
        public const string AllFromOldest = Rows + ListOrder.OldestFirst;

        private const string Rows = """
            SELECT id, name, issuer, audience, jwks_url, subject, role, access::text AS access, revision, created_at, updated_at
            FROM token_issuers
            WHERE project_id = @ProjectId AND id >= @From AND id < @Until
            """;
    }
}
