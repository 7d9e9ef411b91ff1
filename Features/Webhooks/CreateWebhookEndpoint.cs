using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Webhooks;

/// <summary>Makes an endpoint: from here on, events whose type matches go out to its URL, signed.</summary>
/// <remarks>An event whose request began after the answer is matched against it. The secret is shown in this answer and never again.</remarks>
public static class CreateWebhookEndpoint
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/webhook-endpoints", Post)
                .RequirePermission(Permissions.WebhooksWrite)
                .WithName(nameof(CreateWebhookEndpoint))
                .WithTags("Webhooks")
                .Produces<WebhookEndpoint>(StatusCodes.Status201Created)
                .ProducesProblems(Problems.NameTaken);

        /// <summary>Create a webhook endpoint</summary>
        public static async Task<IResult> Post(
            Body<EndpointDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToResource(StatusCodes.Status201Created, made => $"/v1/webhook-endpoints/{made.Id}");
        }
    }

    public sealed record Command(EndpointDocument Document) : IRequest<Result<WebhookEndpoint>>;

    internal sealed class Handler(SavedEndpoints endpoints) : IRequestHandler<Command, Result<WebhookEndpoint>>
    {
        public Task<Result<WebhookEndpoint>> Handle(Command request, CancellationToken cancellationToken) =>
            endpoints.CreateAsync(request.Document, cancellationToken);
    }
}
