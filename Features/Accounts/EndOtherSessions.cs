using Bellhop.Features.Accounts.Tokens;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Signs the user who calls out of everywhere but here: browsers at once, programs at once here and within five seconds everywhere.</summary>
/// <remarks>For after a second factor was turned on, or when something was lost.</remarks>
public static class EndOtherSessions
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/auth/sessions", Delete)
                .RequireUser()
                .WithName(nameof(EndOtherSessions))
                .WithTags("Auth")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>End all own sessions but this one</summary>
        public static async Task<IResult> Delete(IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Command(), cancellationToken);
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
            var arguments = new
            {
                caller.UserId,
                caller.SessionId,
                Now = clock.GetUtcNow().UtcDateTime,
            };
            await work.Connection.ExecuteAsync(Sql.End.With(arguments, cancellationToken));
            await audit.RecordAsync(
                work.Connection,
                user.Id,
                user.Email,
                "users.sign_out",
                cancellationToken,
                new { but = caller.SessionId }
            );
            work.AfterCommit(ended.Forget);
            await work.CommitAsync(cancellationToken);
            return Unit.Value;
        }
    }

    private static class Sql
    {
        public const string End = """
            WITH families AS (
                UPDATE token_families
                SET ended_at = @Now, ended_because = 'signed_out'
                WHERE user_id = @UserId AND id <> @SessionId AND ended_at IS NULL
            )
            DELETE FROM sessions WHERE user_id = @UserId AND id <> @SessionId
            """;
    }
}
