using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Mediation;
using Bellhop.Infrastructure.Secrets;
using Dapper;

namespace Bellhop.Features.Sources;

/// <summary>Saves sources. What comes in is judged by what was saved at once here, within five seconds in other processes.</summary>
internal sealed class SavedSources(
    UnitOfWork works,
    SourceRules rules,
    SourceCache cache,
    SecretBox box,
    Caller caller,
    AuditTrail audit,
    TimeProvider clock
) : ConfigurationStore<SourceDocument, SourceView>(works, caller, audit)
{
    protected override string Noun => "source";

    protected override string Collection => "sources";

    protected override async Task<Stored<SourceDocument, SourceView>?> LockAsync(
        Work work,
        NameOrId which,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleOrDefaultAsync<SourceRow>(
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
            : new Stored<SourceDocument, SourceView>(
                row.ToView(),
                new SourceDocument(row.Name, row.Scheme, null, row.Tags),
                row.OwnerId
            );
    }

    protected override ValueTask<Problem?> CheckAsync(
        Work work,
        SourceDocument document,
        Stored<SourceDocument, SourceView>? stored,
        CancellationToken cancellationToken
    ) =>
        ValueTask.FromResult(
            ValidationProblem.Of(rules.Validate(document)) ?? CheckSecretIsKnown(document, stored?.View.Scheme)
        );

    protected override async Task<SourceView?> InsertAsync(
        Work work,
        SourceDocument document,
        CancellationToken cancellationToken
    ) =>
        (
            await work.Connection.QuerySingleOrDefaultAsync<SourceRow>(
                Sql.Insert.With(ToArguments(null, 1, document), cancellationToken)
            )
        )?.ToView();

    protected override async Task<SourceView> UpdateAsync(
        Work work,
        Stored<SourceDocument, SourceView> stored,
        SourceDocument document,
        CancellationToken cancellationToken
    ) =>
        (
            await work.Connection.QuerySingleAsync<SourceRow>(
                Sql.Update.With(ToArguments(stored.View.Id, stored.View.Revision, document), cancellationToken)
            )
        ).ToView();

    protected override async Task<Problem?> RemoveAsync(
        Work work,
        Stored<SourceDocument, SourceView> stored,
        CancellationToken cancellationToken
    )
    {
        await work.Connection.ExecuteAsync(
            Sql.Delete.With(
                new
                {
                    ProjectId,
                    stored.View.Id,
                    Now = clock.GetUtcNow().UtcDateTime,
                },
                cancellationToken
            )
        );
        return null;
    }

    protected override Task<SourceView> FollowAsync(
        Work work,
        SourceView view,
        SourceDocument document,
        CancellationToken cancellationToken
    )
    {
        work.AfterCommit(() => cache.Forget(view.InboundPath));
        return Task.FromResult(view);
    }

    /// <summary>A secret is of its scheme's form: a new source needs one, and so does a source whose scheme changes.</summary>
    private static Problem? CheckSecretIsKnown(SourceDocument document, string? scheme)
    {
        if (document.Secret is not null || document.Scheme == scheme)
        {
            return null;
        }

        var message = $"A secret is required: {WebhookScheme.All[document.Scheme!].SecretForm}.";
        return Problems.Invalid.Because(message, FieldError.At("/secret", "required", message));
    }

    /// <param name="known">Null: a new id, of the very moment that is stored, since lists are bounded by the one and show the other.</param>
    private object ToArguments(Guid? known, int revision, SourceDocument document)
    {
        var now = clock.GetUtcNow();
        var id = known ?? Guid.CreateVersion7(now);
        return new
        {
            ProjectId,
            Id = id,
            Revision = revision,
            document.Name,
            document.Scheme,
            Token = Base62.Random(SourceCache.TokenLength),
            Secrets = document.Secret is null
                ? null
                : new[] { box.Seal(document.Secret, SourceCache.PlaceOf(ProjectId, id)) },
            Tags = document.Tags?.Distinct(StringComparer.Ordinal).ToArray() ?? [],
            OwnerId = CallerId,
            Now = now.UtcDateTime,
        };
    }

    private static class Sql
    {
        public const string Lock = """
            SELECT id, name, scheme, '/in/' || token AS inbound_path, tags, owner_id, revision, created_at, updated_at
            FROM sources
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
            FOR UPDATE
            """;

        public const string Insert = """
            INSERT INTO sources (project_id, id, name, scheme, token, secrets, tags, owner_id, revision, created_at, updated_at)
            VALUES (@ProjectId, @Id, @Name, @Scheme, @Token, @Secrets, @Tags, @OwnerId, @Revision, @Now, @Now)
            ON CONFLICT (project_id, name) WHERE deleted_at IS NULL DO NOTHING
            RETURNING id, name, scheme, '/in/' || token AS inbound_path, tags, owner_id, revision, created_at, updated_at
            """;

        public const string Update = """
            UPDATE sources
            SET scheme = @Scheme, secrets = COALESCE(@Secrets::text[], secrets), tags = @Tags, revision = revision + 1, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id AND revision = @Revision
            RETURNING id, name, scheme, '/in/' || token AS inbound_path, tags, owner_id, revision, created_at, updated_at
            """;

        public const string Delete = """
            UPDATE sources
            SET deleted_at = @Now, secrets = '{}'
            WHERE project_id = @ProjectId AND id = @Id
            """;
    }
}
