using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Connections;

/// <summary>Makes a connection to an outside system. Nothing is connected to yet: check it to see whether it works.</summary>
/// <remarks>Its addresses are checked here as far as their text shows, and at each connect. No answer ever holds its secret.</remarks>
public static class CreateConnection
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/connections", Post)
                .RequirePermission(Permissions.ConnectionsWrite)
                .WithName(nameof(CreateConnection))
                .WithTags("Connections")
                .Produces<ConnectionView>(StatusCodes.Status201Created)
                .ProducesProblems(Problems.NameTaken);

        /// <summary>Create a connection</summary>
        public static async Task<IResult> Post(
            Body<ConnectionDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToResource(StatusCodes.Status201Created, made => $"/v1/connections/{made.Id}");
        }
    }

    public sealed record Command(ConnectionDocument Document) : IRequest<Result<ConnectionView>>;

    internal sealed class Handler(SavedConnections connections) : IRequestHandler<Command, Result<ConnectionView>>
    {
        public Task<Result<ConnectionView>> Handle(Command request, CancellationToken cancellationToken) =>
            connections.CreateAsync(request.Document, cancellationToken);
    }
}
