using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Sources;

/// <summary>Makes a place that webhooks come in at.</summary>
/// <remarks>The secret is the one the sender signs with; it is encrypted at rest and never shown again.</remarks>
public static class CreateSource
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/sources", Post)
                .RequirePermission(Permissions.SourcesWrite)
                .WithName(nameof(CreateSource))
                .WithTags("Sources")
                .Produces<SourceView>(StatusCodes.Status201Created)
                .ProducesProblems(Problems.NameTaken);

        /// <summary>Create a source</summary>
        public static async Task<IResult> Post(
            Body<SourceDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToResource(StatusCodes.Status201Created, source => $"/v1/sources/{source.Id}");
        }
    }

    public sealed record Command(SourceDocument Document) : IRequest<Result<SourceView>>;

    internal sealed class Handler(SavedSources sources) : IRequestHandler<Command, Result<SourceView>>
    {
        public Task<Result<SourceView>> Handle(Command request, CancellationToken cancellationToken) =>
            sources.CreateAsync(request.Document, cancellationToken);
    }
}
