using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Takes an open invitation back: its token is worth nothing from then on.</summary>
public static class CancelInvitation
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/users/invitations/{id:guid}", Delete)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(CancelInvitation))
                .WithTags("Users")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>Cancel an invitation</summary>
        public static async Task<IResult> Delete(Guid id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Command(id), cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed record Command(Guid Id) : IRequest<Result<Unit>>;

    internal sealed class Handler(UnitOfWork works, AuditTrail trail, Caller caller)
        : IRequestHandler<Command, Result<Unit>>
    {
        public async Task<Result<Unit>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var email = await work.Connection.QuerySingleOrDefaultAsync<string>(
                Sql.Cancel.With(new { caller.ProjectId, request.Id }, cancellationToken)
            );
            if (email is null)
            {
                return Problems.NotFound.Because($"There is no open invitation {request.Id}.");
            }

            await trail.RecordAsync(
                work.Connection,
                new AuditRecord("users.cancel_invitation", $"users/{email}", request.Id),
                cancellationToken
            );
            await work.CommitAsync(cancellationToken);
            return Unit.Value;
        }
    }

    private static class Sql
    {
        public const string Cancel = """
            DELETE FROM one_time_tokens
            WHERE project_id = @ProjectId AND id = @Id AND purpose = 'invitation' AND used_at IS NULL
            RETURNING email
            """;
    }
}
