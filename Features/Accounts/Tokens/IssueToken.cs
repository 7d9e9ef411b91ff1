using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Gives a program an access token for ten minutes: for a password, for a refresh token, or for an API key.</summary>
/// <remarks>
/// A refresh token is spent with its use and the answer holds the next one; asked twice within ten seconds, the same one. One that
/// was spent before that has been copied: all tokens of its login end.
/// </remarks>
public static class IssueToken
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/token", Post)
                .AllowAnonymous()
                .InBucket(RateBucket.Auth)
                .WithName(nameof(IssueToken))
                .WithTags("Auth")
                .Produces<Response>()
                .ProducesProblems(
                    AccountsProblems.InvalidGrant,
                    AccountsProblems.InvalidCredentials,
                    AccountsProblems.TotpRequired,
                    Problems.Invalid
                );

        /// <summary>Issue an access token</summary>
        public static async Task<IResult> Post(
            Body<TokenRequest> body,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(
                new Command(body.Value, http.Request.Headers.UserAgent),
                cancellationToken
            );
            return result.ToHttp(issued => TypedResults.Json(issued, JsonRules.Options));
        }
    }

    public sealed record Command(TokenRequest Request, string? Agent) : IRequest<Result<Response>>
    {
        public override string ToString() => $"{Request}";
    }

    /// <param name="TokenType">Always <c>Bearer</c>.</param>
    /// <param name="ExpiresIn">Seconds.</param>
    /// <param name="RefreshToken">For the next one; none for an API key, which may be shown again.</param>
    public sealed record Response(
        [property: MaxLength(ShownToken.MaxLength)] string AccessToken,
        [property: MaxLength(6)] string TokenType,
        [property: Range(0, 600)] int ExpiresIn,
        [property: MaxLength(Tokens.RefreshToken.Length), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
            string? RefreshToken
    ) : IExampled<Response>
    {
        public static Response Example =>
            new(
                "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJiZWxsaG9wIn0.c2lnbmF0dXJl",
                "Bearer",
                600,
                "bhrt_0000000000000000000000000000000000000000000000000"
            );

        public override string ToString() => "tokens";
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator()
        {
            RuleFor(command => command.Request.GrantType).IsOneOf(GrantType.All).OverridePropertyName("grant_type");
            RuleFor(command => command.Request.Email)
                .NotEmpty()
                .MaximumLength(TokenRequest.MaxLength)
                .When(command => command.Request.GrantType == GrantType.Password)
                .OverridePropertyName("email");
            RuleFor(command => command.Request.Password)
                .NotEmpty()
                .MaximumLength(TokenRequest.MaxLength)
                .When(command => command.Request.GrantType == GrantType.Password)
                .OverridePropertyName("password");
            RuleFor(command => command.Request.Totp).MaximumLength(TokenRequest.MaxLength).OverridePropertyName("totp");
            RuleFor(command => command.Request.RefreshToken)
                .NotEmpty()
                .MaximumLength(TokenRequest.MaxLength)
                .When(command => command.Request.GrantType == GrantType.RefreshToken)
                .OverridePropertyName("refresh_token");
            RuleFor(command => command.Request.ApiKey)
                .NotEmpty()
                .MaximumLength(TokenRequest.MaxLength)
                .When(command => command.Request.GrantType == GrantType.ApiKey)
                .OverridePropertyName("api_key");
        }
    }

    internal sealed class Handler(TokenGrants grants) : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            var request = command.Request;
            var granted = request.GrantType switch
            {
                GrantType.RefreshToken => await grants.ByRefreshTokenAsync(request.RefreshToken!, cancellationToken),
                GrantType.ApiKey => await grants.ByKeyAsync(request.ApiKey!, cancellationToken),
                _ => await grants.ByPasswordAsync(request, command.Agent, cancellationToken),
            };
            if (granted.Problem is { } problem)
            {
                return problem;
            }

            var tokens = granted.Unwrap();
            return new Response(tokens.Access.Text, "Bearer", tokens.Access.Seconds, tokens.Refresh?.Text);
        }
    }
}
