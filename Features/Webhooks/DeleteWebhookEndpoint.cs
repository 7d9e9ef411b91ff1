using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Webhooks;

/// <summary>Deletes an endpoint. Deliveries that were not finished are canceled; what was delivered stays on record.</summary>
public static class DeleteWebhookEndpoint
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/webhook-endpoints/{id}", Delete)
                .RequirePermission(Permissions.WebhooksWrite)
                .WithName(nameof(DeleteWebhookEndpoint))
                .WithTags("Webhooks")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>Delete a webhook endpoint</summary>
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

    public sealed record Command(NameOrId Endpoint, Precondition Precondition) : IRequest<Result<WebhookEndpoint>>;

    internal sealed class Handler(SavedEndpoints endpoints) : IRequestHandler<Command, Result<WebhookEndpoint>>
    {
        public Task<Result<WebhookEndpoint>> Handle(Command request, CancellationToken cancellationToken) =>
            endpoints.DeleteAsync(request.Endpoint, request.Precondition, cancellationToken);
    }
}
