using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;

namespace Bellhop.Features.ApiKeys;

/// <summary>Revokes an API key, for good: at once here, within five seconds in every process.</summary>
/// <remarks>What it was, and what it did, stays on record; its name is free for another. Revoked again, it is as it was.</remarks>
public static class RevokeApiKey
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/api-keys/{id}/revoke", Post)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(RevokeApiKey))
                .WithTags("API keys")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>Revoke an API key</summary>
        public static async Task<IResult> Post(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Command(NameOrId.Parse(id)), cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Argument<string> _key = new("key") { Description = "its id or name" };

        public Verb()
            : base("api-keys revoke", "Revoke an API key, for good.") => Add(_key);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(NameOrId.Parse(session.Get(_key)!)),
                _ => $"{session.Get(_key)} is revoked.",
                cancellationToken
            );
    }

    public sealed record Command(NameOrId Key) : IRequest<Result<Unit>>;

    internal sealed class Handler(
        StoredKeys stored,
        KnownKeys known,
        UnitOfWork works,
        AuditTrail trail,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Unit>>
    {
        public async Task<Result<Unit>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var found = await stored.LockAsync(work, request.Key, cancellationToken);
            if (found.Problem is { } refused)
            {
                return refused;
            }

            var row = found.Unwrap();
            if (row.RevokedAt is not null)
            {
                return Unit.Value;
            }

            var arguments = new
            {
                caller.ProjectId,
                row.Id,
                Now = clock.GetUtcNow().UtcDateTime,
            };
            await work.Connection.ExecuteAsync(Sql.Revoke.With(arguments, cancellationToken));
            await trail.RecordAsync(
                work.Connection,
                new AuditRecord("api-keys.revoke", $"api-keys/{row.Name}", row.Id, row.ToDocument()),
                cancellationToken
            );
            work.AfterCommit(() => known.Forget(row.KeyId));
            await work.CommitAsync(cancellationToken);
            return Unit.Value;
        }
    }

    private static class Sql
    {
        public const string Revoke = """
            UPDATE api_keys
            SET revoked_at = @Now, old_sha256 = NULL, revision = revision + 1, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id AND revoked_at IS NULL
            """;
    }
}
