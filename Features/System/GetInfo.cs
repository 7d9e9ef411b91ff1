using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Telemetry;
using Carter;
using MediatR;

namespace Bellhop.Features.System;

/// <summary>Says what answers here.</summary>
public static class GetInfo
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/info", Get)
                .AllowAnonymous()
                .WithName(nameof(GetInfo))
                .WithTags("System")
                .Produces<Response>();

        /// <summary>Name and version of the service</summary>
        public static async Task<IResult> Get(IMediator mediator, CancellationToken cancellationToken) =>
            (await mediator.Send(new Query(), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Query : IRequest<Result<Response>>;

    public sealed record Response(
        [property: AllowedValues("bellhop")] string Name,
        [property: MaxLength(63)] string Version
    ) : IExampled<Response>
    {
        public static Response Example => new("bellhop", BuildInfo.Version);
    }

    internal sealed class Handler : IRequestHandler<Query, Result<Response>>
    {
        public Task<Result<Response>> Handle(Query query, CancellationToken cancellationToken) =>
            Task.FromResult<Result<Response>>(new Response("bellhop", BuildInfo.Version));
    }
}
