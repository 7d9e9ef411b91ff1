using Bellhop.Features.Accounts.Tokens;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Carter;
using Dapper;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Signs out: the session by which the request came is over at once, everywhere; a family of tokens at once here and within five seconds everywhere.</summary>
public static class SignOut
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/auth/logout", Post)
                .RequireUser()
                .WithoutIdempotencyKey()
                .WithName(nameof(SignOut))
                .WithTags("Auth")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>Sign out</summary>
        public static async Task<IResult> Post(
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(), cancellationToken);
            SessionCookie.Delete(http);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed record Command : IRequest<Result<Unit>>;

    internal sealed class Handler(
        UnitOfWork works,
        Caller caller,
        KnownUsers users,
        EndedFamilies ended,
        AccountAudit audit,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Unit>>
    {
        public async Task<Result<Unit>> Handle(Command request, CancellationToken cancellationToken)
        {
            var user = (await users.FindAsync(caller.UserId!.Value, cancellationToken))!;
            await using var work = await works.BeginAsync(cancellationToken);
            await work.Connection.ExecuteAsync(
                Sql.End.With(
                    new
                    {
                        caller.UserId,
                        caller.SessionId,
                        Now = clock.GetUtcNow().UtcDateTime,
                    },
                    cancellationToken
                )
            );
            await audit.RecordAsync(work.Connection, user.Id, user.Email, "users.sign_out", cancellationToken);
            work.AfterCommit(ended.Forget);
            await work.CommitAsync(cancellationToken);
            return Unit.Value;
        }
    }

    private static class Sql
    {
        public const string End = """
            WITH family AS (
                UPDATE token_families
                SET ended_at = @Now, ended_because = 'signed_out'
                WHERE user_id = @UserId AND id = @SessionId AND ended_at IS NULL
            )
            DELETE FROM sessions WHERE user_id = @UserId AND id = @SessionId
            """;
    }
}
