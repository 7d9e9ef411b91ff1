using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Webhooks;

/// <summary>Replaces an endpoint's configuration; under a name that is not there it makes one.</summary>
/// <remarks>A member that is left out has its default again, except the secret: that stays where none is given.</remarks>
public static class UpdateWebhookEndpoint
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPut("/v1/webhook-endpoints/{id}", Put)
                .RequirePermission(Permissions.WebhooksWrite)
                .WithName(nameof(UpdateWebhookEndpoint))
                .WithTags("Webhooks")
                .Produces<WebhookEndpoint>()
                .Produces<WebhookEndpoint>(StatusCodes.Status201Created);

        /// <summary>Replace a webhook endpoint</summary>
        public static async Task<IResult> Put(
            string id,
            Body<EndpointDocument> body,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), body.Value, precondition);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToSaved("/v1/webhook-endpoints");
        }
    }

    public sealed record Command(NameOrId Endpoint, EndpointDocument Document, Precondition Precondition)
        : IRequest<Result<Saved<WebhookEndpoint>>>;

    internal sealed class Handler(SavedEndpoints endpoints) : IRequestHandler<Command, Result<Saved<WebhookEndpoint>>>
    {
        public Task<Result<Saved<WebhookEndpoint>>> Handle(Command request, CancellationToken cancellationToken) =>
            endpoints.PutAsync(request.Endpoint, request.Document, request.Precondition, cancellationToken);
    }
}
