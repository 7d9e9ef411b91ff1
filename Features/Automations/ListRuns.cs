using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>Lists runs, those of the newest events first, of one automation or in one state where asked for.</summary>
public static class ListRuns
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/runs", Get)
                .RequirePermission(Permissions.AutomationsRead)
                .WithName(nameof(ListRuns))
                .WithTags("Automations")
                .WithPagingByTime("created_at", "automation", new ListFilter("state", RunState.All))
                .Produces<Page<Response>>();

        /// <summary>List runs</summary>
        public static async Task<IResult> Get(
            string? automation,
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

            NameOrId? wanted = automation is null ? null : NameOrId.Parse(automation);
            var query = new Query(page.Unwrap(), wanted, state);
            return (await mediator.Send(query, cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(PageRequest Page, NameOrId? Automation, string? State)
        : IRequest<Result<Page<Response>>>;

    /// <param name="Automation">The automation's name.</param>
    /// <param name="WaitingFor">The step whose job it waits for.</param>
    /// <param name="Error">Why it failed or is held: <c>{code, message, step, …}</c>.</param>
    public sealed record Response(
        Guid Id,
        [property: SlugShape] string Automation,
        Guid AutomationId,
        [property: Range(1, int.MaxValue)] int Version,
        Guid EventId,
        [property: WordOf(typeof(RunState))] string State,
        short Depth,
        [property: MaxLength(63)] string? WaitingFor,
        [property: AnyObject] JsonElement? Error,
        DateTime CreatedAt,
        DateTime? FinishedAt
    ) : IExampled<Response>
    {
        public static Response Example =>
            new(
                Story.Run,
                Story.Name,
                Story.Automation,
                1,
                Story.Event,
                RunState.Succeeded,
                1,
                null,
                null,
                Story.At,
                Story.After(21)
            );
    }

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<Response>>>
    {
        public async Task<Result<Page<Response>>> Handle(Query request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachTags,
                caller.ReachOwner,
                request.Automation?.Id,
                request.Automation?.Name,
                request.State,
                request.Page.From,
                request.Page.Until,
                request.Page.Take,
            };
            var rows = await connection.QueryAsync<RunRow>(Choose(request).With(arguments, cancellationToken));
            Response[] runs = [.. rows.Select(row => row.ToResponse())];
            return request.Page.ToPage(runs, run => run.Id);
        }

        private static string Choose(Query request) =>
            (request.Automation, request.State, request.Page.OldestFirst) switch
            {
                (null, null, false) => Sql.All,
                (null, null, true) => Sql.AllFromOldest,
                (null, RunState.Succeeded, false) => Sql.Succeeded,
                (null, RunState.Succeeded, true) => Sql.SucceededFromOldest,
                (null, _, false) => Sql.InState,
                (null, _, true) => Sql.InStateFromOldest,
                (_, null, false) => Sql.OfAutomation,
                (_, null, true) => Sql.OfAutomationFromOldest,
                (_, RunState.Succeeded, false) => Sql.OfAutomationSucceeded,
                (_, RunState.Succeeded, true) => Sql.OfAutomationSucceededFromOldest,
                (_, _, false) => Sql.OfAutomationInState,
                (_, _, true) => Sql.OfAutomationInStateFromOldest,
            };

        private sealed record RunRow(
            Guid Id,
            string Automation,
            Guid AutomationId,
            int Version,
            Guid EventId,
            string State,
            short Depth,
            string? WaitingFor,
            string? Error,
            DateTime CreatedAt,
            DateTime? FinishedAt
        )
        {
            public Response ToResponse() =>
                new(
                    Id,
                    Automation,
                    AutomationId,
                    Version,
                    EventId,
                    State,
                    Depth,
                    WaitingFor,
                    Error is null ? null : JsonElement.Parse(Error),
                    CreatedAt,
                    FinishedAt
                );
        }
    }

    private static class Sql
    {
        public const string All = Rows + ListOrder.NewestFirst;
        public const string AllFromOldest = Rows + ListOrder.OldestFirst;
        public const string Succeeded = Rows + IsSucceeded + ListOrder.NewestFirst;
        public const string SucceededFromOldest = Rows + IsSucceeded + ListOrder.OldestFirst;
        public const string InState = Rows + IsInState + ListOrder.NewestFirst;
        public const string InStateFromOldest = Rows + IsInState + ListOrder.OldestFirst;
        public const string OfAutomation = RowsOfAutomation + ListOrder.NewestFirst;
        public const string OfAutomationFromOldest = RowsOfAutomation + ListOrder.OldestFirst;
        public const string OfAutomationSucceeded = RowsOfAutomation + IsSucceeded + ListOrder.NewestFirst;
        public const string OfAutomationSucceededFromOldest = RowsOfAutomation + IsSucceeded + ListOrder.OldestFirst;
        public const string OfAutomationInState = RowsOfAutomation + IsInState + ListOrder.NewestFirst;
        public const string OfAutomationInStateFromOldest = RowsOfAutomation + IsInState + ListOrder.OldestFirst;

        private const string Rows =
            """
                SELECT
                    r.id, a.name AS automation, r.automation_id, r.version, r.event_id, r.state, r.depth, r.waiting_for,
                    r.error::text AS error, r.created_at, r.finished_at
                FROM runs r
                JOIN automations a ON a.project_id = r.project_id AND a.id = r.automation_id
                WHERE r.project_id = @ProjectId AND r.id >= @From AND r.id < @Until
                """ + RunReach.Rows;

        // in a subquery of its own, so that the index of one automation's runs is what is read
        private const string RowsOfAutomation =
            Rows
            + """
                 AND r.automation_id = (
                    SELECT id
                    FROM automations
                    WHERE project_id = @ProjectId AND (id = @Id::uuid OR (name = @Name::text AND deleted_at IS NULL))
                )
                """;

        private const string IsSucceeded = " AND r.state = 'succeeded'";

        // the second condition is that of the index
        private const string IsInState = " AND r.state = @State AND r.state <> 'succeeded'";
    }
}
