using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Changes the members of an issuer of tokens that the merge patch names; the rest stays.</summary>
public static class PatchTokenIssuer
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPatch("/v1/token-issuers/{id}", Patch)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(PatchTokenIssuer))
                .WithTags("Token issuers")
                .Produces<TokenIssuerView>();

        /// <summary>Change a token issuer</summary>
        public static async Task<IResult> Patch(
            string id,
            MergePatch<TokenIssuerDocument> patch,
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

    public sealed record Command(NameOrId Issuer, MergePatch<TokenIssuerDocument> Patch, Precondition Precondition)
        : IRequest<Result<TokenIssuerView>>;

    internal sealed class Handler(SavedIssuers issuers) : IRequestHandler<Command, Result<TokenIssuerView>>
    {
        public Task<Result<TokenIssuerView>> Handle(Command request, CancellationToken cancellationToken) =>
            issuers.PatchAsync(request.Issuer, request.Patch, request.Precondition, cancellationToken);
    }
}
