using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Webhooks;

/// <summary>Changes the members of an endpoint that the merge patch names; the rest stays.</summary>
/// <remarks>Deliveries that wait follow the change: they go to the new URL.</remarks>
public static class PatchWebhookEndpoint
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPatch("/v1/webhook-endpoints/{id}", Patch)
                .RequirePermission(Permissions.WebhooksWrite)
                .WithName(nameof(PatchWebhookEndpoint))
                .WithTags("Webhooks")
                .Produces<WebhookEndpoint>();

        /// <summary>Change a webhook endpoint</summary>
        public static async Task<IResult> Patch(
            string id,
            MergePatch<EndpointDocument> patch,
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

    public sealed record Command(NameOrId Endpoint, MergePatch<EndpointDocument> Patch, Precondition Precondition)
        : IRequest<Result<WebhookEndpoint>>;

    internal sealed class Handler(SavedEndpoints endpoints) : IRequestHandler<Command, Result<WebhookEndpoint>>
    {
        public Task<Result<WebhookEndpoint>> Handle(Command request, CancellationToken cancellationToken) =>
            endpoints.PatchAsync(request.Endpoint, request.Patch, request.Precondition, cancellationToken);
    }
}
