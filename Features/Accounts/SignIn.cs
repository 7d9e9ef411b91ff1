using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Signs a browser in: the answer sets the cookie <c>__Host-bellhop</c>.</summary>
/// <remarks>
/// The session is always a new one; the one whose cookie came along ends. What is wrong with an address, a password or a code
/// is not told apart. A page of another site cannot sign anybody in.
/// </remarks>
public static class SignIn
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/login", Post)
                .AllowAnonymous()
                .InBucket(RateBucket.Auth)
                .WithoutIdempotencyKey()
                .WithName(nameof(SignIn))
                .WithTags("Auth")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblems(
                    AccountsProblems.InvalidCredentials,
                    AccountsProblems.TotpRequired,
                    Problems.Csrf,
                    Problems.Invalid
                );

        /// <summary>Sign in</summary>
        public static async Task<IResult> Post(
            Body<SignInDocument> body,
            HttpContext http,
            Settings settings,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            if (OwnOrigin.IsForeign(http, settings))
            {
                return new ProblemResponse(OwnOrigin.Refusal);
            }

            var command = new Command(
                body.Value.Email,
                body.Value.Password,
                body.Value.Totp,
                http.Request.Headers.UserAgent.ToString(),
                SessionCookie.Read(http)
            );
            var result = await mediator.Send(command, cancellationToken);
            return result.ToHttp(begun =>
            {
                SessionCookie.Write(http, begun.Secret);
                return TypedResults.NoContent();
            });
        }
    }

    /// <param name="Replaced">The secret of the session that came along.</param>
    public sealed record Command(string Email, string Password, string? Totp, string? Agent, string? Replaced)
        : IRequest<Result<Response>>
    {
        public override string ToString() => "a sign-in";
    }

    /// <param name="Secret">What the cookie holds.</param>
    public sealed record Response(string Secret)
    {
        public override string ToString() => "a session";
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator()
        {
            RuleFor(command => command.Email).NotEmpty().MaximumLength(EmailAddress.MaxLength);
            RuleFor(command => command.Password).IsPassword();
            RuleFor(command => command.Totp).MaximumLength(SecondFactor.MaxLength);
        }
    }

    internal sealed class Handler(Credentials credentials, Sessions sessions, AccountAudit audit, UnitOfWork works)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            var proven = await credentials.CheckAsync(request.Email, request.Password, request.Totp, cancellationToken);
            if (proven.Problem is { } problem)
            {
                return problem;
            }

            var (user, hasSecondFactor) = proven.Unwrap();
            await using var work = await works.BeginAsync(cancellationToken);
            var secret = await sessions.BeginAsync(
                work.Connection,
                user,
                hasSecondFactor ? Sessions.SecondFactor : Sessions.Password,
                request.Agent,
                request.Replaced,
                cancellationToken
            );
            if (secret is null)
            {
                return AccountsProblems.WrongCredentials;
            }

            await audit.RecordAsync(work.Connection, user.Id, user.Email, "users.sign_in", cancellationToken);
            await work.CommitAsync(cancellationToken);
            return new Response(secret);
        }
    }
}
