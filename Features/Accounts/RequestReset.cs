using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Sends who forgot the password a one-time token by mail, where a connection for that is set.</summary>
/// <remarks>
/// The answer and the work are the same whether there is such an account or not: who has it is found when the mail is sent. Who
/// asks again within a minute gets no other mail.
/// </remarks>
public static class RequestReset
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/reset", Post)
                .AllowAnonymous()
                .InBucket(RateBucket.Auth)
                .WithoutIdempotencyKey()
                .WithName(nameof(RequestReset))
                .WithTags("Auth")
                .Produces(StatusCodes.Status202Accepted)
                .ProducesProblems(Problems.Invalid);

        /// <summary>Ask for a new password</summary>
        public static async Task<IResult> Post(
            Body<ResetRequest> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value.Email), cancellationToken);
            return result.ToHttp(_ => TypedResults.StatusCode(StatusCodes.Status202Accepted));
        }
    }

    public sealed record Command(string Email) : IRequest<Result<Unit>>;

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() => RuleFor(command => command.Email).IsEmail();
    }

    internal sealed class Handler(OneTimeTokens tokens, AccountMail mail, UnitOfWork works)
        : IRequestHandler<Command, Result<Unit>>
    {
        public async Task<Result<Unit>> Handle(Command request, CancellationToken cancellationToken)
        {
            if (mail.Connection is null)
            {
                return Unit.Value;
            }

            await using var work = await works.BeginAsync(cancellationToken);
            var opened = await tokens.OpenAsync(
                work.Connection,
                OneTimeGrant.Reset,
                request.Email,
                null,
                null,
                null,
                cancellationToken,
                isPaced: true
            );
            if (opened is { } reset && await mail.EnqueueAsync(work, reset.Id, cancellationToken))
            {
                await work.CommitAsync(cancellationToken);
            }

            return Unit.Value;
        }
    }
}
