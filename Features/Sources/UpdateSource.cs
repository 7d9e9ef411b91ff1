using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Sources;

/// <summary>Replaces a source's configuration; under a name that is not there it makes one.</summary>
/// <remarks>The inbound path stays, and so does the secret where none is given.</remarks>
public static class UpdateSource
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPut("/v1/sources/{id}", Put)
                .RequirePermission(Permissions.SourcesWrite)
                .WithName(nameof(UpdateSource))
                .WithTags("Sources")
                .Produces<SourceView>()
                .Produces<SourceView>(StatusCodes.Status201Created);

        /// <summary>Replace a source</summary>
        public static async Task<IResult> Put(
            string id,
            Body<SourceDocument> body,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), body.Value, precondition);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToSaved("/v1/sources");
        }
    }

    public sealed record Command(NameOrId Source, SourceDocument Document, Precondition Precondition)
        : IRequest<Result<Saved<SourceView>>>;

    internal sealed class Handler(SavedSources sources) : IRequestHandler<Command, Result<Saved<SourceView>>>
    {
        public Task<Result<Saved<SourceView>>> Handle(Command request, CancellationToken cancellationToken) =>
            sources.PutAsync(request.Source, request.Document, request.Precondition, cancellationToken);
    }
}
