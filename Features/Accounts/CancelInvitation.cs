using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Takes an open invitation back: its token is worth nothing from then on. Nobody takes back what gives more than he may.</summary>
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

    internal sealed class Handler(OneTimeTokens tokens, UnitOfWork works, AuditTrail trail, Caller caller)
        : IRequestHandler<Command, Result<Unit>>
    {
        public async Task<Result<Unit>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var found = await tokens.LockInvitationAsync(work.Connection, request.Id, null, cancellationToken);
            if (found.Problem is { } wider)
            {
                return wider;
            }

            if (found.Unwrap() is not { } open)
            {
                return Problems.NotFound.Because($"There is no open invitation {request.Id}.");
            }

            await work.Connection.ExecuteAsync(
                Sql.Cancel.With(new { caller.ProjectId, request.Id }, cancellationToken)
            );
            await trail.RecordAsync(
                work.Connection,
                new AuditRecord("users.cancel_invitation", $"users/{open.Email}", request.Id),
                cancellationToken
            );
            await work.CommitAsync(cancellationToken);
            return Unit.Value;
        }
    }

    private static class Sql
    {
        public const string Cancel = "DELETE FROM one_time_tokens WHERE project_id = @ProjectId AND id = @Id";
    }
}
