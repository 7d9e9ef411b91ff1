using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Replaces what is said of an issuer of tokens; under a name that is not there it makes one.</summary>
/// <remarks>What is left out has its default again.</remarks>
public static class UpdateTokenIssuer
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPut("/v1/token-issuers/{id}", Put)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(UpdateTokenIssuer))
                .WithTags("Token issuers")
                .Produces<TokenIssuerView>()
                .Produces<TokenIssuerView>(StatusCodes.Status201Created);

        /// <summary>Replace a token issuer</summary>
        public static async Task<IResult> Put(
            string id,
            Body<TokenIssuerDocument> body,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), body.Value, precondition);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToSaved("/v1/token-issuers");
        }
    }

    public sealed record Command(NameOrId Issuer, TokenIssuerDocument Document, Precondition Precondition)
        : IRequest<Result<Saved<TokenIssuerView>>>;

    internal sealed class Handler(SavedIssuers issuers) : IRequestHandler<Command, Result<Saved<TokenIssuerView>>>
    {
        public Task<Result<Saved<TokenIssuerView>>> Handle(Command request, CancellationToken cancellationToken) =>
            issuers.PutAsync(request.Issuer, request.Document, request.Precondition, cancellationToken);
    }
}
