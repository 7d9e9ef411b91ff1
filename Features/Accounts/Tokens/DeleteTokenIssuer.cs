using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Takes no tokens of the issuer any more: at once here, within five seconds in other processes.</summary>
public static class DeleteTokenIssuer
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/token-issuers/{id}", Delete)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(DeleteTokenIssuer))
                .WithTags("Token issuers")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>Delete a token issuer</summary>
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

    public sealed record Command(NameOrId Issuer, Precondition Precondition) : IRequest<Result<TokenIssuerView>>;

    internal sealed class Handler(SavedIssuers issuers) : IRequestHandler<Command, Result<TokenIssuerView>>
    {
        public Task<Result<TokenIssuerView>> Handle(Command request, CancellationToken cancellationToken) =>
            issuers.DeleteAsync(request.Issuer, request.Precondition, cancellationToken);
    }
}
