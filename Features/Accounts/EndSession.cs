using Bellhop.Features.Accounts.Tokens;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Signs the user who calls out of one place: a browser at once, a program at once here and within five seconds everywhere.</summary>
public static class EndSession
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/auth/sessions/{id:guid}", Delete)
                .RequireUser()
                .WithName(nameof(EndSession))
                .WithTags("Auth")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>End an own session</summary>
        public static async Task<IResult> Delete(Guid id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Command(id), cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed record Command(Guid Id) : IRequest<Result<Unit>>;

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
                request.Id,
                Now = clock.GetUtcNow().UtcDateTime,
            };
            if (await work.Connection.QuerySingleAsync<long>(Sql.End.With(arguments, cancellationToken)) == 0)
            {
                return Problems.NotFound.Because($"There is no session {request.Id} of yours.");
            }

            await audit.RecordAsync(
                work.Connection,
                user.Id,
                user.Email,
                "users.sign_out",
                cancellationToken,
                new { session = request.Id }
            );
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
                SET ended_at = @Now, ended_because = 'revoked'
                WHERE user_id = @UserId AND id = @Id AND ended_at IS NULL
                RETURNING id
            ),
            session AS (
                DELETE FROM sessions WHERE user_id = @UserId AND id = @Id RETURNING id
            )
            SELECT (SELECT count(*) FROM family) + (SELECT count(*) FROM session)
            """;
    }
}
