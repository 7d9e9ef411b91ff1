using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Automations;

/// <summary>Saves an automation, which is active at once: which events start it, and what it then does.</summary>
/// <remarks>
/// Every pattern, expression and template is compiled before anything is stored; a fault names its member with a pointer, and an
/// expression's line and column.
/// </remarks>
public static class CreateAutomation
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/automations", Post)
                .RequirePermission(Permissions.AutomationsWrite)
                .WithName(nameof(CreateAutomation))
                .WithTags("Automations")
                .Produces<SavedAutomation>(StatusCodes.Status201Created)
                .ProducesProblems(Problems.NameTaken, Problems.Invalid, AutomationProblems.ExpressionError);

        /// <summary>Create an automation</summary>
        public static async Task<IResult> Post(
            Body<AutomationDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToResource(StatusCodes.Status201Created, saved => $"/v1/automations/{saved.Id}");
        }
    }

    public sealed record Command(AutomationDocument Document) : IRequest<Result<SavedAutomation>>;

    internal sealed class Handler(SavedAutomations automations) : IRequestHandler<Command, Result<SavedAutomation>>
    {
        public Task<Result<SavedAutomation>> Handle(Command request, CancellationToken cancellationToken) =>
            automations.CreateAsync(request.Document, cancellationToken);
    }
}
