using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Automations;

/// <summary>Saves the next version of an automation, which is active at once; under a name that is not there it makes the first.</summary>
/// <remarks>Runs that have begun keep their version. The name stays: events that it emits carry it in their source.</remarks>
public static class UpdateAutomation
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPut("/v1/automations/{id}", Put)
                .RequirePermission(Permissions.AutomationsWrite)
                .WithName(nameof(UpdateAutomation))
                .WithTags("Automations")
                .Produces<SavedAutomation>()
                .Produces<SavedAutomation>(StatusCodes.Status201Created)
                .ProducesProblems(Problems.Invalid, AutomationProblems.ExpressionError);

        /// <summary>Replace an automation</summary>
        public static async Task<IResult> Put(
            string id,
            Body<AutomationDocument> body,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), body.Value, precondition);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToSaved("/v1/automations");
        }
    }

    public sealed record Command(NameOrId Automation, AutomationDocument Document, Precondition Precondition)
        : IRequest<Result<Saved<SavedAutomation>>>;

    internal sealed class Handler(SavedAutomations automations)
        : IRequestHandler<Command, Result<Saved<SavedAutomation>>>
    {
        public Task<Result<Saved<SavedAutomation>>> Handle(Command request, CancellationToken cancellationToken) =>
            automations.PutAsync(request.Automation, request.Document, request.Precondition, cancellationToken);
    }
}
