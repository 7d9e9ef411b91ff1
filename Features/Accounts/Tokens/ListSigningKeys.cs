using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Publishes the public keys that access tokens are signed with, for whoever wants to check one (RFC 7517).</summary>
/// <remarks>The next key stands here long before anything is signed with it, so an answer may be kept for five minutes.</remarks>
public static class ListSigningKeys
{
    public sealed class Endpoint : ICarterModule
    {
        private const int CacheSeconds = 300;

        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/.well-known/jwks.json", Get)
                .AllowAnonymous()
                .CachedFor(CacheSeconds)
                .WithName(nameof(ListSigningKeys))
                .WithTags("Auth")
                .Produces<Response>();

        /// <summary>List signing keys</summary>
        public static async Task<IResult> Get(IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(), cancellationToken);
            return result.ToHttp(keys => TypedResults.Json(keys, JsonRules.Options));
        }
    }

    public sealed record Query : IRequest<Result<Response>>;

    public sealed record Response([property: MaxLength(1_000)] IReadOnlyList<PublishedKey> Keys) : IExampled<Response>
    {
        public static Response Example => new([PublishedKey.Example]);
    }

    internal sealed class Handler(SigningKeys keys) : IRequestHandler<Query, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Query query, CancellationToken cancellationToken) =>
            new Response([
                .. (await keys.PublishedAsync(cancellationToken))
                    .OrderBy(key => key.Kid, StringComparer.Ordinal)
                    .Select(PublishedKey.Of),
            ]);
    }
}
