using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Lists where the user who calls is signed in, the newest first; nobody else's.</summary>
public static class ListSessions
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/auth/sessions", Get)
                .RequireUser()
                .WithPaging()
                .WithName(nameof(ListSessions))
                .WithTags("Auth")
                .Produces<Page<SignedIn>>();

        /// <summary>List own sessions</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(paging.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(PageRequest Page) : IRequest<Result<Page<SignedIn>>>;

    internal sealed class Handler(NpgsqlDataSource database, Settings settings, Caller caller, TimeProvider clock)
        : IRequestHandler<Query, Result<Page<SignedIn>>>
    {
        public async Task<Result<Page<SignedIn>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var now = clock.GetUtcNow().UtcDateTime;
            var arguments = new
            {
                caller.UserId,
                caller.SessionId,
                Now = now,
                IdleSince = now - settings.SessionIdle,
                Before = query.Page.AfterId ?? Guid.AllBitsSet,
                query.Page.Take,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<SignedIn>(Sql.List.With(arguments, cancellationToken));
            return query.Page.ToPage(rows.AsList(), row => row.Id);
        }
    }

    private static class Sql
    {
        public const string List = """
            SELECT id, 'session' AS kind, method, host(address) AS address, user_agent, created_at, last_seen_at, expires_at,
                id IS NOT DISTINCT FROM @SessionId::uuid AS is_current
            FROM sessions
            WHERE user_id = @UserId AND id < @Before AND expires_at > @Now AND last_seen_at > @IdleSince
            UNION ALL
            SELECT id, 'token', NULL, host(address), user_agent, created_at, NULL, expires_at,
                id IS NOT DISTINCT FROM @SessionId::uuid
            FROM token_families
            WHERE user_id = @UserId AND id < @Before AND expires_at > @Now AND ended_at IS NULL
            ORDER BY id DESC
            LIMIT @Take
            """;
    }
}
