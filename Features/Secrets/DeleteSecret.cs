using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;

namespace Bellhop.Features.Secrets;

/// <summary>Deletes a secret that nothing uses.</summary>
/// <remarks>
/// Whatever names it at that moment keeps it: the answer is 409 and says who. What is saved meanwhile either is seen, or does not
/// find the secret any more.
/// </remarks>
public static class DeleteSecret
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/secrets/{name}", Delete)
                .RequirePermission(Permissions.SecretsWrite)
                .WithName(nameof(DeleteSecret))
                .WithTags("Secrets")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblems(SecretsProblems.InUse);

        /// <summary>Delete a secret</summary>
        public static async Task<IResult> Delete(string name, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Command(name), cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed record Command(string Name) : IRequest<Result<Unit>>;

    internal sealed class Handler(
        UnitOfWork works,
        NamedSecrets secrets,
        SecretUsers users,
        Caller caller,
        AuditTrail audit
    ) : IRequestHandler<Command, Result<Unit>>
    {
        public async Task<Result<Unit>> Handle(Command command, CancellationToken cancellationToken)
        {
            var arguments = new { caller.ProjectId, command.Name };
            await using var work = await works.BeginAsync(cancellationToken);
            var connection = work.Connection;
            // waits for whoever is just naming it, and has later ones wait for the end of this
            if (await connection.QuerySingleOrDefaultAsync<string>(Sql.Lock.With(arguments, cancellationToken)) is null)
            {
                return Problems.NotFound.Because($"There is no secret {command.Name}.");
            }

            var usedBy = await users.FindAsync(connection, caller.ProjectId, [command.Name], cancellationToken);
            if (usedBy.Count > 0)
            {
                var names = string.Join(", ", usedBy[command.Name].Order(StringComparer.Ordinal));
                return SecretsProblems.InUse.Because($"{command.Name} is used by {names}.");
            }

            await connection.ExecuteAsync(Sql.Delete.With(arguments, cancellationToken));
            await audit.RecordAsync(
                connection,
                new AuditRecord("secrets.delete", $"secrets/{command.Name}", null, SecretView.Recorded),
                cancellationToken
            );
            work.AfterCommit(() => secrets.Forget(caller.ProjectId, command.Name));
            await work.CommitAsync(cancellationToken);
            return Unit.Value;
        }
    }

    private static class Sql
    {
        public const string Lock = "SELECT name FROM secrets WHERE project_id = @ProjectId AND name = @Name FOR UPDATE";

        public const string Delete = "DELETE FROM secrets WHERE project_id = @ProjectId AND name = @Name";
    }
}
