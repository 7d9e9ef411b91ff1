using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Connections;

/// <summary>Replaces a connection's configuration; under a name that is not there it makes one.</summary>
/// <remarks>
/// What is left out has its default again. Config and secret may be sent as they are shown: <c>{"set":true}</c> keeps the
/// connection's own secret.
/// </remarks>
public static class UpdateConnection
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPut("/v1/connections/{id}", Put)
                .RequirePermission(Permissions.ConnectionsWrite)
                .WithName(nameof(UpdateConnection))
                .WithTags("Connections")
                .Produces<ConnectionView>()
                .Produces<ConnectionView>(StatusCodes.Status201Created);

        /// <summary>Replace a connection</summary>
        public static async Task<IResult> Put(
            string id,
            Body<ConnectionDocument> body,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), body.Value, precondition);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToSaved("/v1/connections");
        }
    }

    public sealed record Command(NameOrId Connection, ConnectionDocument Document, Precondition Precondition)
        : IRequest<Result<Saved<ConnectionView>>>;

    internal sealed class Handler(SavedConnections connections)
        : IRequestHandler<Command, Result<Saved<ConnectionView>>>
    {
        public Task<Result<Saved<ConnectionView>>> Handle(Command request, CancellationToken cancellationToken) =>
            connections.PutAsync(request.Connection, request.Document, request.Precondition, cancellationToken);
    }
}
