using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Automations;

/// <summary>Changes the members of an automation's document that the merge patch names, as its next version.</summary>
/// <remarks><c>{"enabled": false}</c> pauses it. Runs that have begun keep their version.</remarks>
public static class PatchAutomation
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPatch("/v1/automations/{id}", Patch)
                .RequirePermission(Permissions.AutomationsWrite)
                .WithName(nameof(PatchAutomation))
                .WithTags("Automations")
                .Produces<SavedAutomation>()
                .ProducesProblems(Problems.Invalid, AutomationProblems.ExpressionError);

        /// <summary>Change an automation</summary>
        public static async Task<IResult> Patch(
            string id,
            MergePatch<AutomationDocument> patch,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), patch, precondition);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Command(NameOrId Automation, MergePatch<AutomationDocument> Patch, Precondition Precondition)
        : IRequest<Result<SavedAutomation>>;

    internal sealed class Handler(SavedAutomations automations) : IRequestHandler<Command, Result<SavedAutomation>>
    {
        public Task<Result<SavedAutomation>> Handle(Command request, CancellationToken cancellationToken) =>
            automations.PatchAsync(request.Automation, request.Patch, request.Precondition, cancellationToken);
    }
}
