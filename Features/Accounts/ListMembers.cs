using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Lists the members of the project, the newest first, also those who are disabled.</summary>
public static class ListMembers
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/members", Get)
                .RequirePermission(Permissions.MembersManage)
                .WithPagingByTime("created_at")
                .WithName(nameof(ListMembers))
                .WithTags("Members")
                .Produces<Page<MemberView>>();

        /// <summary>List members</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var paging = Paging.Read(http);
            return paging.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(paging.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed class Verb : CliVerb
    {
        public Verb()
            : base("members list", "List the members of the project, the newest first; 200 at most.") { }

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Query(PageRequest.First(PageRequest.MaxLimit)),
                members =>
                    string.Join(
                        '\n',
                        members.Items.Select(member =>
                            $"{member.Id}\t{member.Email}\t{member.Role}\t{(member.Disabled ? "disabled" : "active")}"
                        )
                    ),
                cancellationToken
            );
    }

    public sealed record Query(PageRequest Page) : IRequest<Result<Page<MemberView>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<MemberView>>>
    {
        public async Task<Result<Page<MemberView>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<MemberRow>(
                (query.Page.OldestFirst ? Sql.ListFromOldest : Sql.List).With(arguments, cancellationToken)
            );
            MemberView[] members = [.. rows.Select(row => row.ToView())];
            return query.Page.ToPage(members, member => member.Id);
        }
    }

    private static class Sql
    {
        public const string List = Rows + "\nORDER BY m.id DESC\nLIMIT @Take";
        public const string ListFromOldest = Rows + "\nORDER BY m.id\nLIMIT @Take";

        private const string Rows = """
            SELECT m.id, m.user_id, u.email, m.role, m.access::text AS access, m.disabled_at, m.revision, m.created_at,
                m.created_by, m.updated_at
            FROM memberships AS m
            JOIN users AS u ON u.id = m.user_id
            WHERE m.project_id = @ProjectId AND m.id >= @From AND m.id < @Until
            """;
    }
}
