using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Sources;

/// <summary>Changes the members of a source that the merge patch names; the rest stays.</summary>
public static class PatchSource
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPatch("/v1/sources/{id}", Patch)
                .RequirePermission(Permissions.SourcesWrite)
                .WithName(nameof(PatchSource))
                .WithTags("Sources")
                .Produces<SourceView>();

        /// <summary>Change a source</summary>
        public static async Task<IResult> Patch(
            string id,
            MergePatch<SourceDocument> patch,
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

    public sealed record Command(NameOrId Source, MergePatch<SourceDocument> Patch, Precondition Precondition)
        : IRequest<Result<SourceView>>;

    internal sealed class Handler(SavedSources sources) : IRequestHandler<Command, Result<SourceView>>
    {
        public Task<Result<SourceView>> Handle(Command request, CancellationToken cancellationToken) =>
            sources.PatchAsync(request.Source, request.Patch, request.Precondition, cancellationToken);
    }
}
