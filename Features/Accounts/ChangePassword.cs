using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using Dapper;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Changes the password of the user who calls, who must know the current one.</summary>
/// <remarks>
/// Whoever else is signed in as this user is signed out, unless the request says otherwise; access tokens are then worth
/// nothing. The browser that asks goes on with a new session, whose cookie the answer sets; a program that asks goes on with its
/// refresh token.
/// </remarks>
public static class ChangePassword
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/password", Post)
                .RequireUser()
                .InBucket(RateBucket.Auth)
                .WithoutIdempotencyKey()
                .WithName(nameof(ChangePassword))
                .WithTags("Auth")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblems(AccountsProblems.InvalidCredentials, Problems.Invalid);

        /// <summary>Change the own password</summary>
        public static async Task<IResult> Post(
            Body<PasswordChange> body,
            HttpContext http,
            Caller caller,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(
                body.Value.CurrentPassword,
                body.Value.NewPassword,
                body.Value.EndOtherSessions,
                http.Request.Headers.UserAgent.ToString(),
                caller.Method == ProofMethod.Session ? SessionCookie.Read(http) : null
            );
            var result = await mediator.Send(command, cancellationToken);
            return result.ToHttp(changed =>
            {
                if (changed.Secret is { } secret)
                {
                    SessionCookie.Write(http, secret);
                }

                return TypedResults.NoContent();
            });
        }
    }

    /// <param name="Replaced">The secret of the session by which the request came; null: it came by a token.</param>
    public sealed record Command(
        string CurrentPassword,
        string NewPassword,
        bool EndOtherSessions,
        string? Agent,
        string? Replaced
    ) : IRequest<Result<Response>>
    {
        public override string ToString() => "a change of password";
    }

    /// <param name="Secret">What the cookie of the new session holds.</param>
    public sealed record Response(string? Secret)
    {
        public override string ToString() => "a changed password";
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator()
        {
            RuleFor(command => command.CurrentPassword).IsPassword();
            RuleFor(command => command.NewPassword).IsNewPassword();
        }
    }

    internal sealed class Handler(
        Credentials credentials,
        PasswordHashes hashes,
        Sessions sessions,
        KnownUsers users,
        AccountAudit audit,
        UnitOfWork works,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            var known = (await users.FindAsync(caller.UserId!.Value, cancellationToken))!;
            if (PasswordRules.FaultFor(known.Email, request.NewPassword, "/new_password") is { } fault)
            {
                return fault;
            }

            var proven = await credentials.CheckPasswordAsync(known.Email, request.CurrentPassword, cancellationToken);
            if (proven.Problem is { } problem)
            {
                return problem;
            }

            var entered = hashes.Enter();
            if (entered.Problem is { } full)
            {
                return full;
            }

            using var place = entered.Unwrap();
            var user = proven.Unwrap().User;
            var arguments = new
            {
                user.Id,
                user.TokenEpoch,
                PasswordHash = await place.HashAsync(request.NewPassword, cancellationToken),
                Now = clock.GetUtcNow().UtcDateTime,
            };
            await using var work = await works.BeginAsync(cancellationToken);
            await OneTimeTokens.CloseResetsAsync(work.Connection, user.Email, cancellationToken);
            if (await work.Connection.ExecuteAsync(Sql.Change.With(arguments, cancellationToken)) == 0)
            {
                return AccountsProblems.WrongCredentials; // another change was faster
            }

            if (request.EndOtherSessions)
            {
                var family = request.Replaced is null ? caller.SessionId : null;
                await sessions.EndAllAsync(work.Connection, user.Id, family, cancellationToken);
                user = user with { TokenEpoch = user.TokenEpoch + 1 };
            }

            var secret = request.Replaced is { } replaced
                ? await sessions.BeginAsync(
                    work.Connection,
                    user,
                    Sessions.Password,
                    request.Agent,
                    replaced,
                    cancellationToken
                )
                : null;
            await audit.RecordAsync(work.Connection, user.Id, user.Email, "users.password_change", cancellationToken);
            work.AfterCommit(() => users.Forget(user.Id));
            await work.CommitAsync(cancellationToken);
            return new Response(secret);
        }
    }

    private static class Sql
    {
        public const string Change = """
            UPDATE users
            SET password_hash = @PasswordHash, password_changed_at = @Now, updated_at = @Now
            WHERE id = @Id AND token_epoch = @TokenEpoch AND disabled_at IS NULL
            """;
    }
}
