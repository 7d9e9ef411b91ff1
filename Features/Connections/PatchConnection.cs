using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Connections;

/// <summary>Changes the members of a connection that the merge patch names; the rest stays.</summary>
/// <remarks>The secret stays where the patch does not name it. The kind stays as it is.</remarks>
public static class PatchConnection
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPatch("/v1/connections/{id}", Patch)
                .RequirePermission(Permissions.ConnectionsWrite)
                .WithName(nameof(PatchConnection))
                .WithTags("Connections")
                .Produces<ConnectionView>();

        /// <summary>Change a connection</summary>
        public static async Task<IResult> Patch(
            string id,
            MergePatch<ConnectionDocument> patch,
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

    public sealed record Command(NameOrId Connection, MergePatch<ConnectionDocument> Patch, Precondition Precondition)
        : IRequest<Result<ConnectionView>>;

    internal sealed class Handler(SavedConnections connections) : IRequestHandler<Command, Result<ConnectionView>>
    {
        public Task<Result<ConnectionView>> Handle(Command request, CancellationToken cancellationToken) =>
            connections.PatchAsync(request.Connection, request.Patch, request.Precondition, cancellationToken);
    }
}
