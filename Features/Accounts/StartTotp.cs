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

/// <summary>Begins a second factor: answers the secret for the user's authenticator, once. It counts when it was confirmed.</summary>
/// <remarks>Needs the password. A secret that was not confirmed is replaced.</remarks>
public static class StartTotp
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/totp", Post)
                .RequireUser()
                .InBucket(RateBucket.Auth)
                .WithoutIdempotencyKey()
                .WithName(nameof(StartTotp))
                .WithTags("Auth")
                .Produces<NewTotp>()
                .ProducesProblems(AccountsProblems.InvalidCredentials, AccountsProblems.TotpState, Problems.Invalid);

        /// <summary>Begin a second factor</summary>
        public static async Task<IResult> Post(
            Body<TotpStart> body,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(body.Value.Password), cancellationToken)).ToHttp(TypedResults.Ok);
    }

    public sealed record Command(string Password) : IRequest<Result<NewTotp>>
    {
        public override string ToString() => "a start of a second factor";
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() => RuleFor(command => command.Password).IsPassword();
    }

    internal sealed class Handler(
        Credentials credentials,
        SecondFactor factor,
        KnownUsers users,
        UnitOfWork works,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<NewTotp>>
    {
        public async Task<Result<NewTotp>> Handle(Command request, CancellationToken cancellationToken)
        {
            var user = (await users.FindAsync(caller.UserId!.Value, cancellationToken))!;
            var proven = await credentials.CheckPasswordAsync(user.Email, request.Password, cancellationToken);
            if (proven.Problem is { } problem)
            {
                return problem;
            }

            var secret = Totp.NewSecret();
            var arguments = new
            {
                user.Id,
                Secret = factor.Seal(user.Id, secret),
                Now = clock.GetUtcNow().UtcDateTime,
            };
            await using var work = await works.OpenAsync(cancellationToken);
            if (await work.Connection.ExecuteAsync(Sql.Start.With(arguments, cancellationToken)) == 0)
            {
                return AccountsProblems.TotpState.Because("There is a second factor: disable it first.");
            }

            await work.CommitAsync(cancellationToken);
            return new NewTotp(Totp.ToBase32(secret), Totp.ToUri(secret, user.Email));
        }
    }

    private static class Sql
    {
        public const string Start = """
            UPDATE users
            SET totp_secret = @Secret, totp_step = 0, updated_at = @Now
            WHERE id = @Id AND totp_enabled_at IS NULL
            """;
    }
}
