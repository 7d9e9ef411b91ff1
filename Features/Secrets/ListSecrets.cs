using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Secrets;

/// <summary>Lists the secrets by name, with when and by whom they are used; never a value.</summary>
public static class ListSecrets
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/secrets", Get)
                .RequirePermission(Permissions.SecretsRead)
                .WithPaging()
                .WithName(nameof(ListSecrets))
                .WithTags("Secrets")
                .Produces<Page<SecretView>>();

        /// <summary>List secrets</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(paging.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(PageRequest Page) : IRequest<Result<Page<SecretView>>>;

    internal sealed class Handler(NpgsqlDataSource database, SecretUsers users, Caller caller)
        : IRequestHandler<Query, Result<Page<SecretView>>>
    {
        public async Task<Result<Page<SecretView>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                After = query.Page.After ?? "",
                Take = query.Page.Limit + 1,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = (await connection.QueryAsync<SecretRow>(Sql.List.With(arguments, cancellationToken))).AsList();
            var names = rows.Select(row => row.Name).ToArray();
            var usedBy = await users.FindAsync(connection, caller.ProjectId, names, cancellationToken);
            SecretView[] secrets = [.. rows.Select(row => row.ToView(usedBy))];
            return query.Page.ToPage(secrets, secret => secret.Name);
        }
    }

    private static class Sql
    {
        public const string List = """
            SELECT name, created_at, updated_at, last_used_at
            FROM secrets
            WHERE project_id = @ProjectId AND name > @After
            ORDER BY name
            LIMIT @Take
            """;
    }
}
