using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Lists the invitations into the project that are open, the newest first; never their tokens.</summary>
public static class ListInvitations
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/users/invitations", Get)
                .RequirePermission(Permissions.MembersManage)
                .WithPagingByTime("created_at")
                .WithName(nameof(ListInvitations))
                .WithTags("Users")
                .Produces<Page<Invitation>>();

        /// <summary>List open invitations</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(paging.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(PageRequest Page) : IRequest<Result<Page<Invitation>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller, TimeProvider clock)
        : IRequestHandler<Query, Result<Page<Invitation>>>
    {
        public async Task<Result<Page<Invitation>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
                Now = clock.GetUtcNow().UtcDateTime,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<InvitationRow>(
                (query.Page.OldestFirst ? Sql.FromOldest : Sql.FromNewest).With(arguments, cancellationToken)
            );
            Invitation[] invitations = [.. rows.Select(row => row.ToInvitation())];
            return query.Page.ToPage(invitations, invitation => invitation.Id);
        }
    }

    private static class Sql
    {
        public const string FromNewest = Rows + ListOrder.NewestFirst;
        public const string FromOldest = Rows + ListOrder.OldestFirst;

        private const string Rows = """
            SELECT id, email, role, access::text AS access, created_at, created_by, expires_at
            FROM one_time_tokens
            WHERE project_id = @ProjectId
                AND purpose = 'invitation'
                AND used_at IS NULL
                AND expires_at > @Now
                AND id >= @From
                AND id < @Until
            """;
    }
}
