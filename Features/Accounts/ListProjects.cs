using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Lists the projects that the user who calls is a member of, the newest first, also those that are archived.</summary>
/// <remarks>The command line lists every project of the installation.</remarks>
public static class ListProjects
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/projects", Get)
                .RequireUser()
                .WithPagingByTime("created_at")
                .WithName(nameof(ListProjects))
                .WithTags("Projects")
                .Produces<Page<ProjectView>>();

        /// <summary>List own projects</summary>
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
            : base("projects list", "List the projects, the newest first; 200 at most.") { }

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Query(PageRequest.First(PageRequest.MaxLimit)),
                projects =>
                    string.Join(
                        '\n',
                        projects.Items.Select(project =>
                            $"{project.Id}\t{project.Name}\t{(project.ArchivedAt is null ? "active" : "archived")}"
                        )
                    ),
                cancellationToken
            );
    }

    public sealed record Query(PageRequest Page) : IRequest<Result<Page<ProjectView>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<ProjectView>>>
    {
        public async Task<Result<Page<ProjectView>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.UserId,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
            };
            var sql =
                caller.UserId is null ? Sql.All
                : query.Page.OldestFirst ? Sql.OwnFromOldest
                : Sql.Own;
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var projects = await connection.QueryAsync<ProjectView>(sql.With(arguments, cancellationToken));
            return query.Page.ToPage(projects.AsList(), project => project.Id);
        }
    }

    private static class Sql
    {
        // engine-wide: the projects of one user
        public const string Own = OwnRows + "\nORDER BY p.id DESC\nLIMIT @Take";
        public const string OwnFromOldest = OwnRows + "\nORDER BY p.id\nLIMIT @Take";

        public const string All =
            """
                SELECT id, name, archived_at, revision, created_at, updated_at
                FROM projects
                WHERE id >= @From AND id < @Until
                """ + ListOrder.NewestFirst;

        private const string OwnRows = """
            SELECT p.id, p.name, p.archived_at, p.revision, p.created_at, p.updated_at
            FROM memberships AS m
            JOIN projects AS p ON p.id = m.project_id
            WHERE m.user_id = @UserId AND m.disabled_at IS NULL AND p.id >= @From AND p.id < @Until
            """;
    }
}
