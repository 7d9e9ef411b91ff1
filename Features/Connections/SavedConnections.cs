using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Secrets;
using Dapper;

namespace Bellhop.Features.Connections;

/// <summary>Saves connections. Whoever opens one sees what was saved at once here, within five seconds in other processes.</summary>
internal sealed class SavedConnections(
    UnitOfWork works,
    ConnectionRules rules,
    ConnectionCache cache,
    IEnumerable<IConnectionUser> users,
    SecretBox box,
    Caller caller,
    AuditTrail audit,
    TimeProvider clock
) : ConfigurationStore<ConnectionDocument, ConnectionView>(works, caller, audit)
{
    protected override string Noun => "connection";

    protected override string Collection => "connections";

    protected override async Task<Stored<ConnectionDocument, ConnectionView>?> LockAsync(
        Work work,
        NameOrId which,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleOrDefaultAsync<ConnectionRow>(
            Sql.Lock.With(
                new
                {
                    ProjectId,
                    which.Id,
                    which.Name,
                },
                cancellationToken
            )
        );
        return row is null
            ? null
            : new Stored<ConnectionDocument, ConnectionView>(row.ToView(), row.ToDocument(), row.OwnerId);
    }

    protected override async ValueTask<Problem?> CheckAsync(
        Work work,
        ConnectionDocument document,
        Stored<ConnectionDocument, ConnectionView>? stored,
        CancellationToken cancellationToken
    )
    {
        if (rules.Check(document, stored?.View) is { } problem)
        {
            return problem;
        }

        SecretChoice.Read(document.Secret, out var secret);
        if (
            secret.Name is null
            || await NamedSecrets.HoldAsync(work.Connection, ProjectId, secret.Name, cancellationToken)
        )
        {
            return null;
        }

        var message = $"There is no secret {secret.Name}: put it first.";
        return Problems.Invalid.Because(message, FieldError.At("/secret", "unknown_secret", message));
    }

    protected override async Task<ConnectionView?> InsertAsync(
        Work work,
        ConnectionDocument document,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleOrDefaultAsync<ConnectionRow>(
            Sql.Insert.With(ToArguments(null, 1, document), cancellationToken)
        );
        return row?.ToView();
    }

    protected override async Task<ConnectionView> UpdateAsync(
        Work work,
        Stored<ConnectionDocument, ConnectionView> stored,
        ConnectionDocument document,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleAsync<ConnectionRow>(
            Sql.Update.With(ToArguments(stored.View.Id, stored.View.Revision, document), cancellationToken)
        );
        return row.ToView();
    }

    protected override async Task<Problem?> RemoveAsync(
        Work work,
        Stored<ConnectionDocument, ConnectionView> stored,
        CancellationToken cancellationToken
    )
    {
        foreach (var user in users)
        {
            var usedBy = await user.FindAsync(work.Connection, ProjectId, stored.View.Name, cancellationToken);
            if (string.Join(", ", usedBy) is { Length: > 0 } names)
            {
                return ConnectionsProblems.InUse.Because($"{stored.View.Name} is used by {names}.");
            }
        }

        work.AfterCommit(() => cache.Drop(stored.View.Id));
        await work.Connection.ExecuteAsync(Sql.Delete.With(new { ProjectId, stored.View.Id }, cancellationToken));
        return null;
    }

    protected override Task<ConnectionView> FollowAsync(
        Work work,
        ConnectionView view,
        ConnectionDocument document,
        CancellationToken cancellationToken
    )
    {
        work.AfterCommit(() => cache.Forget(ProjectId, view));
        return Task.FromResult(view);
    }

    /// <param name="known">Null: a new id, of the very moment that is stored, since lists are bounded by the one and show the other.</param>
    private object ToArguments(Guid? known, int revision, ConnectionDocument document)
    {
        var now = clock.GetUtcNow();
        var id = known ?? Guid.CreateVersion7(now);
        SecretChoice.Read(document.Secret, out var secret);
        return new
        {
            ProjectId,
            Id = id,
            Revision = revision,
            document.Name,
            document.Kind,
            Config = ConnectionRules.ReadConfig(document).Unwrap().ToJson(),
            SecretName = secret.Name,
            Secret = secret.Value is null ? null : box.Seal(secret.Value, ConnectionSecret.PlaceOf(ProjectId, id)),
            KeepsSecret = secret.Keeps,
            Tags = document.Tags?.Distinct(StringComparer.Ordinal).ToArray() ?? [],
            OwnerId = CallerId,
            Now = now.UtcDateTime,
        };
    }

    private static class Sql
    {
        public const string Lock = """
            SELECT id, name, kind, config::text AS config, secret_name, secret IS NOT NULL AS has_secret, tags, owner_id,
                revision, created_at, updated_at
            FROM connections
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text)
            FOR UPDATE
            """;

        public const string Insert = """
            INSERT INTO connections (
                project_id, id, name, kind, config, secret_name, secret, tags, owner_id, revision, created_at, updated_at
            )
            VALUES (
                @ProjectId, @Id, @Name, @Kind, @Config::json, @SecretName, @Secret, @Tags, @OwnerId, @Revision, @Now, @Now
            )
            ON CONFLICT (project_id, name) DO NOTHING
            RETURNING id, name, kind, config::text AS config, secret_name, secret IS NOT NULL AS has_secret, tags, owner_id,
                revision, created_at, updated_at
            """;

        public const string Update = """
            UPDATE connections
            SET config = @Config::json, secret_name = @SecretName,
                secret = CASE WHEN @KeepsSecret THEN secret ELSE @Secret END, tags = @Tags,
                revision = revision + 1, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id AND revision = @Revision
            RETURNING id, name, kind, config::text AS config, secret_name, secret IS NOT NULL AS has_secret, tags, owner_id,
                revision, created_at, updated_at
            """;

        public const string Delete = "DELETE FROM connections WHERE project_id = @ProjectId AND id = @Id";
    }
}
