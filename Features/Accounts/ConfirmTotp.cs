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

/// <summary>Turns the second factor on, with a code that proves that the authenticator has it; answers ten recovery codes, once.</summary>
public static class ConfirmTotp
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/totp/confirm", Post)
                .RequireUser()
                .InBucket(RateBucket.Auth)
                .WithoutIdempotencyKey()
                .WithName(nameof(ConfirmTotp))
                .WithTags("Auth")
                .Produces<NewRecoveryCodes>()
                .ProducesProblems(AccountsProblems.TotpState, Problems.Invalid);

        /// <summary>Turn a second factor on</summary>
        public static async Task<IResult> Post(
            Body<TotpConfirmation> body,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(body.Value.Code), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(string Code) : IRequest<Result<NewRecoveryCodes>>
    {
        public override string ToString() => "a confirmation of a second factor";
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() =>
            RuleFor(command => command.Code)
                .Must(code => code is { Length: Totp.Digits } && code.All(char.IsAsciiDigit))
                .WithErrorCode("invalid_code")
                .WithMessage("A code has six digits.");
    }

    internal sealed class Handler(
        SecondFactor factor,
        AccountAudit audit,
        UnitOfWork works,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<NewRecoveryCodes>>
    {
        public async Task<Result<NewRecoveryCodes>> Handle(Command request, CancellationToken cancellationToken)
        {
            var id = caller.UserId!.Value;
            await using var work = await works.BeginAsync(cancellationToken);
            var begun = await work.Connection.QuerySingleOrDefaultAsync<Row>(
                Sql.Find.With(new { Id = id }, cancellationToken)
            );
            if (begun is null)
            {
                return AccountsProblems.TotpState.Because("No second factor was begun, or it is on already.");
            }

            if (!await factor.TakeAsync(work.Connection, id, begun.Secret, request.Code, cancellationToken))
            {
                const string Message = "That is not the code that the authenticator shows now.";
                return Problems.Invalid.Because(Message, FieldError.At("/code", "wrong_code", Message));
            }

            var arguments = new { Id = id, Now = clock.GetUtcNow().UtcDateTime };
            await work.Connection.ExecuteAsync(Sql.Enable.With(arguments, cancellationToken));
            var codes = await SecondFactor.RenewRecoveryAsync(work.Connection, id, cancellationToken);
            await audit.RecordAsync(work.Connection, id, begun.Email, "users.totp_enable", cancellationToken);
            await work.CommitAsync(cancellationToken);
            return new NewRecoveryCodes(codes);
        }

        private sealed record Row(string Email, string Secret);
    }

    private static class Sql
    {
        // locked: of two confirmations one gives out the codes
        public const string Find = """
            SELECT email, totp_secret AS secret
            FROM users
            WHERE id = @Id AND totp_secret IS NOT NULL AND totp_enabled_at IS NULL
            FOR UPDATE
            """;

        public const string Enable =
            "UPDATE users SET totp_enabled_at = @Now, updated_at = @Now WHERE id = @Id AND totp_enabled_at IS NULL";
    }
}
