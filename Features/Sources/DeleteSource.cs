using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Sources;

/// <summary>Deletes a source: within five seconds its inbound path answers 404. The events it brought stay.</summary>
public static class DeleteSource
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/sources/{id}", Delete)
                .RequirePermission(Permissions.SourcesWrite)
                .WithName(nameof(DeleteSource))
                .WithTags("Sources")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>Delete a source</summary>
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

    public sealed record Command(NameOrId Source, Precondition Precondition) : IRequest<Result<SourceView>>;

    internal sealed class Handler(SavedSources sources) : IRequestHandler<Command, Result<SourceView>>
    {
        public Task<Result<SourceView>> Handle(Command request, CancellationToken cancellationToken) =>
            sources.DeleteAsync(request.Source, request.Precondition, cancellationToken);
    }
}
