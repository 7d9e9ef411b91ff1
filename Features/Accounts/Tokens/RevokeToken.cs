using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Ends all tokens of a login, by its refresh token; access tokens of it are rejected within five seconds.</summary>
/// <remarks>The answer is the same for one that is none or has ended (RFC 7009).</remarks>
public static class RevokeToken
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/revoke", Post)
                .AllowAnonymous()
                .InBucket(RateBucket.Auth)
                .WithName(nameof(RevokeToken))
                .WithTags("Auth")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblems(Problems.Invalid);

        /// <summary>Revoke a refresh token</summary>
        public static async Task<IResult> Post(
            Body<Command> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(body.Value, cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed record Command(string RefreshToken) : IRequest<Result<Response>>, IExampled<Command>
    {
        public static Command Example => new("bhrt_0000000000000000000000000000000000000000000000000");

        public override string ToString() => "a refresh token";
    }

    /// <param name="Ended">Whether there was anything to end.</param>
    public sealed record Response(bool Ended);

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() => RuleFor(command => command.RefreshToken).NotEmpty().MaximumLength(TokenRequest.MaxLength);
    }

    internal sealed class Handler(UnitOfWork works, RefreshTokens tokens, EndedFamilies ended, AccountAudit audit)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            if (RefreshToken.Parse(command.RefreshToken) is not { } token)
            {
                return new Response(false);
            }

            await using var work = await works.BeginAsync(cancellationToken);
            var user = await tokens.RevokeAsync(work.Connection, token, cancellationToken);
            if (
                user is { } userId
                && await KnownUsers.ReadAsync(work.Connection, userId, cancellationToken) is { } known
            )
            {
                await audit.RecordAsync(work.Connection, userId, known.Email, "users.sign_out", cancellationToken);
            }

            work.AfterCommit(ended.Forget);
            await work.CommitAsync(cancellationToken);
            return new Response(user is not null);
        }
    }
}
