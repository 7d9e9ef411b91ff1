using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Connections;

/// <summary>Deletes a connection and its own secret. One that an automation names is not deleted: the answer says which.</summary>
public static class DeleteConnection
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/connections/{id}", Delete)
                .RequirePermission(Permissions.ConnectionsWrite)
                .WithName(nameof(DeleteConnection))
                .WithTags("Connections")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblems(ConnectionsProblems.InUse);

        /// <summary>Delete a connection</summary>
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

    public sealed record Command(NameOrId Connection, Precondition Precondition) : IRequest<Result<ConnectionView>>;

    internal sealed class Handler(SavedConnections connections) : IRequestHandler<Command, Result<ConnectionView>>
    {
        public Task<Result<ConnectionView>> Handle(Command request, CancellationToken cancellationToken) =>
            connections.DeleteAsync(request.Connection, request.Precondition, cancellationToken);
    }
}
