using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.ApiKeys;

/// <summary>Lists the API keys, the newest first, all, those that are revoked, or the others; never a key itself.</summary>
public static class ListApiKeys
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/api-keys", Get)
                .RequirePermission(Permissions.MembersManage)
                .WithPagingByTime("created_at", new ListFilter("revoked", ["true", "false"]))
                .WithName(nameof(ListApiKeys))
                .WithTags("API keys")
                .Produces<Page<ApiKeyView>>();

        /// <summary>List API keys</summary>
        public static async Task<IResult> Get(
            string? revoked,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var paging = Paging.Read(http);
            if (paging.Problem is { } problem)
            {
                return new ProblemResponse(problem);
            }

            bool? isRevoked = revoked is null ? null : revoked == "true";
            return (await mediator.Send(new Query(paging.Unwrap(), isRevoked), cancellationToken)).ToHttp(http);
        }
    }

    public sealed class Verb : CliVerb
    {
        public Verb()
            : base("api-keys list", "List the API keys of the project, the newest first; 200 at most.") { }

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Query(PageRequest.First(PageRequest.MaxLimit)),
                keys => string.Join('\n', keys.Items.Select(key => $"{key.Id}\t{key.Name}\t{key.Role}\t{key.State}")),
                cancellationToken
            );
    }

    /// <param name="IsRevoked">Null: whether it is or not.</param>
    public sealed record Query(PageRequest Page, bool? IsRevoked = null) : IRequest<Result<Page<ApiKeyView>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller, TimeProvider clock)
        : IRequestHandler<Query, Result<Page<ApiKeyView>>>
    {
        public async Task<Result<Page<ApiKeyView>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<ApiKeyRow>(Choose(query).With(arguments, cancellationToken));
            var now = clock.GetUtcNow().UtcDateTime;
            ApiKeyView[] keys = [.. rows.Select(row => row.ToView(now))];
            return query.Page.ToPage(keys, key => key.Id);
        }

        private static string Choose(Query query) =>
            (query.IsRevoked, query.Page.OldestFirst) switch
            {
                (true, false) => Sql.Revoked,
                (true, true) => Sql.RevokedFromOldest,
                (false, false) => Sql.NotRevoked,
                (false, true) => Sql.NotRevokedFromOldest,
                (null, false) => Sql.All,
                (null, true) => Sql.AllFromOldest,
            };
    }

    private static class Sql
    {
        public const string All = Rows + ListOrder.NewestFirst;
        public const string AllFromOldest = Rows + ListOrder.OldestFirst;
        public const string Revoked = Rows + IsRevoked + ListOrder.NewestFirst;
        public const string RevokedFromOldest = Rows + IsRevoked + ListOrder.OldestFirst;
        public const string NotRevoked = Rows + IsNotRevoked + ListOrder.NewestFirst;
        public const string NotRevokedFromOldest = Rows + IsNotRevoked + ListOrder.OldestFirst;

        private const string IsRevoked = " AND revoked_at IS NOT NULL";
        private const string IsNotRevoked = " AND revoked_at IS NULL";

        private const string Rows = """
            SELECT id, key_id, name, role, access::text AS access, created_at, created_by, expires_at, last_used_at, rotated_at,
                old_expires_at, revoked_at, revision, updated_at
            FROM api_keys
            WHERE project_id = @ProjectId AND id >= @From AND id < @Until
            """;
    }
}
