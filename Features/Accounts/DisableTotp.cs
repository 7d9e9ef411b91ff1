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

/// <summary>Turns the second factor off. Needs the password and a code, or a recovery code; those are worth nothing afterwards.</summary>
public static class DisableTotp
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/totp/disable", Post)
                .RequireUser()
                .InBucket(RateBucket.Auth)
                .WithoutIdempotencyKey()
                .WithName(nameof(DisableTotp))
                .WithTags("Auth")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblems(AccountsProblems.InvalidCredentials, AccountsProblems.TotpState, Problems.Invalid);

        /// <summary>Turn a second factor off</summary>
        public static async Task<IResult> Post(
            Body<TotpEnd> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value.Password, body.Value.Totp), cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed record Command(string Password, string Totp) : IRequest<Result<Unit>>
    {
        public override string ToString() => "an end of a second factor";
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator()
        {
            RuleFor(command => command.Password).IsPassword();
            RuleFor(command => command.Totp).NotEmpty().MaximumLength(SecondFactor.MaxLength);
        }
    }

    internal sealed class Handler(
        Credentials credentials,
        KnownUsers users,
        AccountAudit audit,
        UnitOfWork works,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Unit>>
    {
        public async Task<Result<Unit>> Handle(Command request, CancellationToken cancellationToken)
        {
            var user = (await users.FindAsync(caller.UserId!.Value, cancellationToken))!;
            var proven = await credentials.CheckAsync(user.Email, request.Password, request.Totp, cancellationToken);
            if (proven.Problem is { } problem)
            {
                return problem;
            }

            await using var work = await works.BeginAsync(cancellationToken);
            var arguments = new { user.Id, Now = clock.GetUtcNow().UtcDateTime };
            if (await work.Connection.ExecuteAsync(Sql.Disable.With(arguments, cancellationToken)) == 0)
            {
                return AccountsProblems.TotpState.Because("There is no second factor.");
            }

            await SecondFactor.ForgetRecoveryAsync(work.Connection, user.Id, cancellationToken);
            await audit.RecordAsync(work.Connection, user.Id, user.Email, "users.totp_disable", cancellationToken);
            await work.CommitAsync(cancellationToken);
            return Unit.Value;
        }
    }

    private static class Sql
    {
        public const string Disable = """
            UPDATE users
            SET totp_secret = NULL, totp_enabled_at = NULL, updated_at = @Now
            WHERE id = @Id AND totp_enabled_at IS NOT NULL
            """;
    }
}
