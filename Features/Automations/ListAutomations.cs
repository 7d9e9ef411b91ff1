using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>Lists the automations of a project, the newest first.</summary>
public static class ListAutomations
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/automations", Get)
                .RequirePermission(Permissions.AutomationsRead)
                .WithName(nameof(ListAutomations))
                .WithTags("Automations")
                .WithPagingByTime("created_at", new ListFilter("state", AutomationState.All))
                .Produces<Page<Response>>();

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
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<Response>(
                Choose(request)
                    .With(
                        new
                        {
                            caller.ProjectId,
                            caller.ReachTags,
                            caller.ReachOwner,
                            request.State,
                            request.Page.From,
                            request.Page.Until,
                            request.Page.Take,
                        },
                        cancellationToken
                    )
            );
            return request.Page.ToPage(rows.AsList(), row => row.Id);
        }

        private static string Choose(Query request) =>
            request.State is null
                ? request.Page.OldestFirst
                    ? Sql.AllFromOldest
                    : Sql.All
                : request.Page.OldestFirst
                    ? Sql.InStateFromOldest
                    : Sql.InState;
    }

    private static class Sql
    {
        public const string All = Rows + ListOrder.NewestFirst;
        public const string AllFromOldest = Rows + ListOrder.OldestFirst;
        public const string InState = RowsInState + ListOrder.NewestFirst;
        public const string InStateFromOldest = RowsInState + ListOrder.OldestFirst;

        private const string Rows =
            """
                SELECT id, name, active_version AS version, state, created_at, updated_at
                FROM automations
                WHERE project_id = @ProjectId AND id >= @From AND id < @Until AND deleted_at IS NULL
                """ + Reach.Rows;

        private const string RowsInState = Rows + " AND state = @State";
    }
}
