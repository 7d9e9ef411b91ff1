using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Automations;

/// <summary>Deletes an automation: no event starts it from the answer on. Runs that have begun go on, and all stay on record.</summary>
public static class DeleteAutomation
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/automations/{id}", Delete)
                .RequirePermission(Permissions.AutomationsWrite)
                .WithName(nameof(DeleteAutomation))
                .WithTags("Automations")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>Delete an automation</summary>
        public static async Task<IResult> Delete(
            string id,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), precondition);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed record Command(NameOrId Automation, Precondition Precondition) : IRequest<Result<SavedAutomation>>;

    internal sealed class Handler(SavedAutomations automations) : IRequestHandler<Command, Result<SavedAutomation>>
    {
        public Task<Result<SavedAutomation>> Handle(Command request, CancellationToken cancellationToken) =>
            automations.DeleteAsync(request.Automation, request.Precondition, cancellationToken);
    }
}
