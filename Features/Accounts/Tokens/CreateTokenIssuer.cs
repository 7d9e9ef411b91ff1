using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Has the project take the tokens of an issuer: whoever shows one may do what the role and what narrows it say.</summary>
/// <remarks>Nobody is asked for keys yet: that is done when the first token is shown. Nobody grants what they lack.</remarks>
public static class CreateTokenIssuer
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/token-issuers", Post)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(CreateTokenIssuer))
                .WithTags("Token issuers")
                .Produces<TokenIssuerView>(StatusCodes.Status201Created)
                .ProducesProblems(Problems.NameTaken);

        /// <summary>Create a token issuer</summary>
        public static async Task<IResult> Post(
            Body<TokenIssuerDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToResource(StatusCodes.Status201Created, made => $"/v1/token-issuers/{made.Id}");
        }
    }

    public sealed record Command(TokenIssuerDocument Document) : IRequest<Result<TokenIssuerView>>;

    internal sealed class Handler(SavedIssuers issuers) : IRequestHandler<Command, Result<TokenIssuerView>>
    {
        public Task<Result<TokenIssuerView>> Handle(Command request, CancellationToken cancellationToken) =>
            issuers.CreateAsync(request.Document, cancellationToken);
    }
}
