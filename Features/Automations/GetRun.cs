using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>Shows a run with the steps it has taken. Their outputs are shown to callers with <c>data:read</c>.</summary>
public static class GetRun
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/runs/{id:guid}", Get)
                .RequirePermission(Permissions.AutomationsRead)
                .WithName(nameof(GetRun))
                .WithTags("Automations")
                .Produces<Response>();

        /// <summary>Get a run</summary>
        public static async Task<IResult> Get(Guid id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(id), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(Guid Id) : IRequest<Result<Response>>;

    /// <param name="Automation">The automation's name.</param>
    /// <param name="Depth">How many runs stand in the row that ends with this one; more than 8 are held.</param>
    /// <param name="WaitingFor">The step whose job it waits for.</param>
    /// <param name="Error">Why it failed or is held: <c>{code, message, step, …}</c>.</param>
    /// <param name="Steps">Those taken so far, in their order: <c>{id, state, output, error, job_id, …}</c>.</param>
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
        DateTime? FinishedAt,
        [property: MaxLength(CompiledAutomation.MaxSteps)] IReadOnlyList<TakenStep> Steps
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
                Story.After(21),
                [
                    new TakenStep("note", "succeeded", null, Story.Job, Story.After(11), Story.After(15))
                    {
                        Output = Story.Json("null"),
                    },
                ]
            );
    }

    internal sealed class Handler(NpgsqlDataSource database, Caller caller) : IRequestHandler<Query, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Query request, CancellationToken cancellationToken)
        {
            var withData = caller.May(Permissions.DataRead);
            var arguments = new
            {
                caller.ProjectId,
                caller.ReachTags,
                caller.ReachOwner,
                request.Id,
                WithData = withData,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            await using var snapshot = await connection.BeginSnapshotAsync(cancellationToken);
            var run = await connection.QuerySingleOrDefaultAsync<RunRow>(Sql.Find.With(arguments, cancellationToken));
            if (run is null)
            {
                return Problems.NotFound.Because($"There is no run {request.Id} in this project.");
            }

            var steps = await connection.QueryAsync<StepRow>(Sql.FindSteps.With(arguments, cancellationToken));
            return run.ToResponse([.. steps.Select(step => step.ToStep(withData))]);
        }

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
            public Response ToResponse(IReadOnlyList<TakenStep> steps) =>
                new(
                    Id,
                    Automation,
                    AutomationId,
                    Version,
                    EventId,
                    State,
                    Depth,
                    WaitingFor,
                    Parse(Error),
                    CreatedAt,
                    FinishedAt,
                    steps
                );
        }

        private sealed record StepRow(
            string StepId,
            string State,
            string? Output,
            string? Error,
            Guid? JobId,
            DateTime StartedAt,
            DateTime? FinishedAt
        )
        {
            public TakenStep ToStep(bool withData) =>
                new(StepId, State, Parse(Error), JobId, StartedAt, FinishedAt)
                {
                    Output = withData ? Parse(Output ?? "null") : null,
                };
        }

        private static JsonElement? Parse(string? json) =>
            json is null ? null : JsonElement.Parse(json, new JsonDocumentOptions { MaxDepth = 128 });
    }

    private static class Sql
    {
        public const string Find =
            """
                SELECT
                    r.id, a.name AS automation, r.automation_id, r.version, r.event_id, r.state, r.depth, r.waiting_for,
                    r.error::text AS error, r.created_at, r.finished_at
                FROM runs r
                JOIN automations a ON a.project_id = r.project_id AND a.id = r.automation_id
                WHERE r.project_id = @ProjectId AND r.id = @Id
                """ + Reach.Rows;

        public const string FindSteps = """
            SELECT
                step_id, state, CASE WHEN @WithData THEN output::text END AS output, error::text AS error, job_id, started_at,
                finished_at
            FROM run_steps
            WHERE project_id = @ProjectId AND run_id = @Id
            ORDER BY position, item
            """;
    }
}
