using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using Dapper;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Takes a one-time token: makes the account of who was invited, or sets the password of who asked for that.</summary>
/// <remarks>
/// A token is taken once, and not by a password that is refused. Where an invitation meets an account that is there, the password
/// must be that account's, and then the user is a member of one project more; any other password is answered as a wrong token.
/// A new password for an account ends all that was signed in with the old one.
/// </remarks>
public static class RedeemToken
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/redeem", Post)
                .AllowAnonymous()
                .InBucket(RateBucket.Auth)
                .WithoutIdempotencyKey()
                .WithName(nameof(RedeemToken))
                .WithTags("Auth")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblems(AccountsProblems.InvalidToken, Problems.Invalid);

        /// <summary>Redeem a one-time token</summary>
        public static async Task<IResult> Post(
            Body<Redemption> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value.Token, body.Value.Password), cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed record Command(string Token, string Password) : IRequest<Result<Unit>>
    {
        public override string ToString() => "a redemption";
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator()
        {
            RuleFor(command => command.Token).NotEmpty().MaximumLength(200);
            RuleFor(command => command.Password).IsNewPassword();
        }
    }

    internal sealed class Handler(
        OneTimeTokens tokens,
        Credentials credentials,
        PasswordHashes hashes,
        Memberships memberships,
        UnitOfWork works
    ) : IRequestHandler<Command, Result<Unit>>
    {
        public async Task<Result<Unit>> Handle(Command request, CancellationToken cancellationToken)
        {
            OneTimeGrant? grant;
            Row? row = null;
            await using (var look = await works.OpenAsync(cancellationToken))
            {
                grant = await tokens.FindAsync(look.Connection, request.Token, cancellationToken);
                if (grant is not null)
                {
                    row = await look.Connection.QuerySingleOrDefaultAsync<Row>(
                        Sql.Find.With(new { EmailKey = EmailAddress.KeyOf(grant.Email) }, cancellationToken)
                    );
                }
            }

            if (grant is null || row?.IsDisabled == true || (row is null && grant.Purpose == OneTimeGrant.Reset))
            {
                return AccountsProblems.WrongToken;
            }

            if (PasswordRules.FaultFor(grant.Email, request.Password, "/password") is { } fault)
            {
                return fault;
            }

            return row is null || grant.SetsPassword
                ? await SetAsync(request, grant, row?.Id, cancellationToken)
                : await JoinAsync(request, grant, cancellationToken);
        }

        /// <summary>The account is made, or gets this password.</summary>
        private async Task<Result<Unit>> SetAsync(
            Command request,
            OneTimeGrant grant,
            Guid? userId,
            CancellationToken cancellationToken
        )
        {
            var entered = hashes.Enter();
            if (entered.Problem is { } full)
            {
                return full;
            }

            using var place = entered.Unwrap();
            var hash = await place.HashAsync(request.Password, cancellationToken);
            await using var work = await works.BeginAsync(cancellationToken);
            return
                await tokens.TakeAsync(work.Connection, grant, request.Token, cancellationToken)
                && await memberships.SetPasswordAsync(work, grant, userId, hash, cancellationToken)
                ? await EndAsync(work, cancellationToken)
                : AccountsProblems.WrongToken;
        }

        /// <summary>The account is there and proves itself.</summary>
        private async Task<Result<Unit>> JoinAsync(
            Command request,
            OneTimeGrant grant,
            CancellationToken cancellationToken
        )
        {
            var proven = await credentials.CheckPasswordAsync(grant.Email, request.Password, cancellationToken);
            if (proven.Problem is { } problem)
            {
                return problem.Kind == AccountsProblems.InvalidCredentials ? AccountsProblems.WrongToken : problem;
            }

            await using var work = await works.BeginAsync(cancellationToken);
            if (!await tokens.TakeAsync(work.Connection, grant, request.Token, cancellationToken))
            {
                return AccountsProblems.WrongToken;
            }

            await memberships.JoinAsync(work, grant, proven.Unwrap().User.Id, cancellationToken);
            return await EndAsync(work, cancellationToken);
        }

        private static async Task<Result<Unit>> EndAsync(Work work, CancellationToken cancellationToken)
        {
            await work.CommitAsync(cancellationToken);
            return Unit.Value;
        }

        private sealed record Row(Guid Id, bool IsDisabled);
    }

    private static class Sql
    {
        public const string Find =
            "SELECT id, disabled_at IS NOT NULL AS is_disabled FROM users WHERE email_key = @EmailKey";
    }
}
