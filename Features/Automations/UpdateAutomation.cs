using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>Saves the next version of an automation, which is active at once; under a name that is not there it makes the first.</summary>
/// <remarks>Runs that have begun keep their version. The name stays: events that it emits carry it in their source.</remarks>
public static class UpdateAutomation
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPut("/v1/automations/{automation}", Put)
                .RequirePermission(Permissions.AutomationsWrite)
                .WithName(nameof(UpdateAutomation))
                .WithTags("Automations")
                .Produces<SavedAutomation>()
                .Produces<SavedAutomation>(StatusCodes.Status201Created)
                .ProducesProblem(StatusCodes.Status404NotFound)
                .ProducesProblem(StatusCodes.Status422UnprocessableEntity);

        /// <summary>Save the next version of an automation</summary>
        public static async Task<IResult> Put(
            string automation,
            Body<AutomationDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(automation), body.Value);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToHttp(saved =>
                TypedResults.Json(
                    saved,
                    statusCode: saved.Version == 1 ? StatusCodes.Status201Created : StatusCodes.Status200OK
                )
            );
        }
    }

    /// <param name="Document">Its name may be left out, or be the one it has.</param>
    public sealed record Command(NameOrId Automation, AutomationDocument Document) : IRequest<Result<SavedAutomation>>;

    internal sealed class Handler(SavedAutomations automations, NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Command, Result<SavedAutomation>>
    {
        public async Task<Result<SavedAutomation>> Handle(Command request, CancellationToken cancellationToken)
        {
            var name = request.Automation.Name ?? await NameOfAsync(request.Automation, cancellationToken);
            if (name is null)
            {
                return AutomationProblems.NoAutomation(request.Automation);
            }

            if (request.Document.Name is { } given && given != name)
            {
                var message = $"The automation is named {name}, and a name stays.";
                return Problems.Invalid.Because(message, FieldError.At("/name", "name_differs", message));
            }

            return await automations.PutAsync(request.Document with { Name = name }, cancellationToken);
        }

        private async Task<string?> NameOfAsync(NameOrId automation, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            return await connection.QuerySingleOrDefaultAsync<string>(
                Sql.NameOf.With(new { caller.ProjectId, automation.Id }, cancellationToken)
            );
        }
    }

    private static class Sql
    {
        public const string NameOf = "SELECT name FROM automations WHERE project_id = @ProjectId AND id = @Id";
    }
}
