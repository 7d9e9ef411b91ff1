using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>Shows an automation with its active version.</summary>
public static class GetAutomation
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/automations/{id}", Get)
                .RequirePermission(Permissions.AutomationsRead)
                .WithName(nameof(GetAutomation))
                .WithTags("Automations")
                .Produces<Response>();

        /// <summary>Get an automation</summary>
        public static async Task<IResult> Get(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(NameOrId Automation) : IRequest<Result<Response>>;

    /// <param name="Definition">The document as it was saved; it can be sent back with PUT.</param>
    public sealed record Response(
        Guid Id,
        [property: SlugShape] string Name,
        [property: Range(1, int.MaxValue)] int Version,
        [property: WordOf(typeof(AutomationState))] string State,
        DateTime CreatedAt,
        DateTime UpdatedAt,
        AutomationDocument Definition
    ) : IRevised, IExampled<Response>
    {
        public static Response Example =>
            new(Story.Automation, Story.Name, 1, "active", Story.SetUpAt, Story.SetUpAt, AutomationDocument.Example);

        int IRevised.Revision => Version;
    }

    internal sealed class Handler(NpgsqlDataSource database, Caller caller) : IRequestHandler<Query, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Query request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var row = await connection.QuerySingleOrDefaultAsync<Row>(
                Sql.Find.With(
                    new
                    {
                        caller.ProjectId,
                        caller.ReachTags,
                        caller.ReachOwner,
                        request.Automation.Id,
                        request.Automation.Name,
                    },
                    cancellationToken
                )
            );
            return row is null ? AutomationProblems.NoAutomation(request.Automation) : row.ToResponse();
        }

        private sealed record Row(
            Guid Id,
            string Name,
            int Version,
            string State,
            DateTime CreatedAt,
            DateTime UpdatedAt,
            string Definition
        )
        {
            public Response ToResponse() =>
                new(Id, Name, Version, State, CreatedAt, UpdatedAt, AutomationDocument.Read(Definition));
        }
    }

    private static class Sql
    {
        public const string Find =
            """
                SELECT a.id, a.name, a.active_version AS version, a.state, a.created_at, a.updated_at, v.definition::text AS definition
                FROM automations a
                JOIN automation_versions v
                    ON v.project_id = a.project_id AND v.automation_id = a.id AND v.version = a.active_version
                WHERE a.project_id = @ProjectId AND (a.id = @Id::uuid OR a.name = @Name::text) AND a.deleted_at IS NULL
                """ + Reach.Rows;
    }
}
