using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>Lists the automations of a project, the oldest first.</summary>
public static class ListAutomations
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/automations", Get)
                .RequirePermission(Permissions.AutomationsRead)
                .WithName(nameof(ListAutomations))
                .WithTags("Automations")
                .WithPaging("state")
                .Produces<Page<Response>>()
                .WithFilterOf("state", AutomationState.All);

        /// <summary>List automations</summary>
        public static async Task<IResult> Get(
            string? state,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var page = Paging.Read(http);
            if (page.Problem is { } problem)
            {
                return new ProblemResponse(problem);
            }

            return (await mediator.Send(new Query(page.Unwrap(), state), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(PageRequest Page, string? State) : IRequest<Result<Page<Response>>>;

    public sealed record Response(
        Guid Id,
        [property: SlugShape] string Name,
        [property: Range(1, int.MaxValue)] int Version,
        [property: WordOf(typeof(AutomationState))] string State,
        DateTime CreatedAt,
        DateTime UpdatedAt
    ) : IExampled<Response>
    {
        public static Response Example => new(Story.Automation, Story.Name, 1, "active", Story.SetUpAt, Story.SetUpAt);
    }

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<Response>>>
    {
        public async Task<Result<Page<Response>>> Handle(Query request, CancellationToken cancellationToken)
        {
            if (request.State is { } state && !AutomationState.All.Contains(state))
            {
                return AutomationProblems.NoState(AutomationState.All);
            }

            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<Response>(
                Sql.List.With(
                    new
                    {
                        caller.ProjectId,
                        request.State,
                        After = request.Page.AfterId,
                        Limit = request.Page.Limit + 1,
                    },
                    cancellationToken
                )
            );
            return request.Page.ToPage(rows.AsList(), row => row.Id);
        }
    }

    private static class Sql
    {
        public const string List = """
            SELECT id, name, active_version AS version, state, created_at, updated_at
            FROM automations
            WHERE project_id = @ProjectId AND deleted_at IS NULL
                AND (@State::text IS NULL OR state = @State)
                AND (@After::uuid IS NULL OR id > @After)
            ORDER BY id
            LIMIT @Limit
            """;
    }
}
