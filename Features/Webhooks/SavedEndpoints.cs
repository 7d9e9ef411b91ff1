using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Mediation;
using Bellhop.Infrastructure.Secrets;
using Dapper;

namespace Bellhop.Features.Webhooks;

/// <summary>Saves webhook endpoints. An event whose request began after the answer is matched against what was saved.</summary>
internal sealed class SavedEndpoints(
    UnitOfWork works,
    EndpointRules rules,
    SenderSignals senders,
    SecretBox box,
    Caller caller,
    AuditTrail audit,
    TimeProvider clock
) : ConfigurationStore<EndpointDocument, WebhookEndpoint>(works, caller, audit)
{
    protected override string Noun => "webhook endpoint";

    protected override string Collection => "webhook-endpoints";

    protected override async Task<Stored<EndpointDocument, WebhookEndpoint>?> LockAsync(
        Work work,
        NameOrId which,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleOrDefaultAsync<EndpointRow>(
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
            : new Stored<EndpointDocument, WebhookEndpoint>(row.ToEndpoint(), row.ToDocument(), row.OwnerId);
    }

    protected override ValueTask<Problem?> CheckAsync(
        Work work,
        EndpointDocument document,
        Stored<EndpointDocument, WebhookEndpoint>? stored,
        CancellationToken cancellationToken
    ) => ValueTask.FromResult(ValidationProblem.Of(rules.Validate(document)));

    protected override async Task<WebhookEndpoint?> InsertAsync(
        Work work,
        EndpointDocument document,
        CancellationToken cancellationToken
    )
    {
        var secret = document.Secret ?? EndpointSecret.Generate();
        var row = await work.Connection.QuerySingleOrDefaultAsync<EndpointRow>(
            Sql.Insert.With(ToArguments(null, 1, document with { Secret = secret }), cancellationToken)
        );
        return row is null ? null : row.ToEndpoint() with { Secret = secret };
    }

    protected override async Task<WebhookEndpoint> UpdateAsync(
        Work work,
        Stored<EndpointDocument, WebhookEndpoint> stored,
        EndpointDocument document,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleAsync<EndpointRow>(
            Sql.Update.With(ToArguments(stored.View.Id, stored.View.Revision, document), cancellationToken)
        );
        work.AfterCommit(() => senders.Raise(ProjectId, row.Id)); // what waits follows the change at once
        return row.ToEndpoint();
    }

    protected override async Task<Problem?> RemoveAsync(
        Work work,
        Stored<EndpointDocument, WebhookEndpoint> stored,
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
        work.AfterCommit(() => senders.Raise(ProjectId, stored.View.Id)); // the sender cancels what waits
        return null;
    }

    protected override async Task<WebhookEndpoint> FollowAsync(
        Work work,
        WebhookEndpoint view,
        EndpointDocument document,
        CancellationToken cancellationToken
    )
    {
        await RulesVersion.RaiseAsync(work.Connection, ProjectId, cancellationToken);
        return view;
    }

    /// <param name="known">Null: a new id, of the very moment that is stored, since lists are bounded by the one and show the other.</param>
    private object ToArguments(Guid? known, int revision, EndpointDocument document)
    {
        var now = clock.GetUtcNow();
        var id = known ?? Guid.CreateVersion7(now);
        return new
        {
            ProjectId,
            Id = id,
            Revision = revision,
            document.Name,
            document.Url,
            EventTypes = document.EventTypes!.Distinct(StringComparer.Ordinal).ToArray(),
            State = document.Enabled == false ? WebhookEndpoint.Disabled : WebhookEndpoint.Active,
            Secrets = document.Secret is null
                ? null
                : new[] { box.Seal(document.Secret, EndpointSecret.PlaceOf(ProjectId, id)) },
            Retry = document.Retry is null ? null : JsonSerializer.Serialize(document.Retry, JsonRules.Options),
            Concurrency = document.Concurrency ?? WebhookEndpoint.DefaultConcurrency,
            Tags = document.Tags?.Distinct(StringComparer.Ordinal).ToArray() ?? [],
            OwnerId = CallerId,
            Now = now.UtcDateTime,
        };
    }

    private static class Sql
    {
        public const string Lock = """
            SELECT id, name, url, event_types, state, retry::text AS retry, concurrency, tags, owner_id, revision, created_at,
                updated_at
            FROM webhook_endpoints
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
            FOR UPDATE
            """;

        public const string Insert = """
            INSERT INTO webhook_endpoints (
                project_id, id, name, url, event_types, state, secrets, retry, concurrency, tags, owner_id, revision,
                created_at, updated_at
            )
            VALUES (
                @ProjectId, @Id, @Name, @Url, @EventTypes, @State, @Secrets, @Retry::json, @Concurrency, @Tags, @OwnerId,
                @Revision, @Now, @Now
            )
            ON CONFLICT (project_id, name) WHERE deleted_at IS NULL DO NOTHING
            RETURNING id, name, url, event_types, state, retry::text AS retry, concurrency, tags, owner_id, revision, created_at,
                updated_at
            """;

        public const string Update = """
            UPDATE webhook_endpoints
            SET url = @Url, event_types = @EventTypes, state = @State, secrets = COALESCE(@Secrets::text[], secrets),
                retry = @Retry::json, concurrency = @Concurrency, tags = @Tags, revision = revision + 1, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id AND revision = @Revision
            RETURNING id, name, url, event_types, state, retry::text AS retry, concurrency, tags, owner_id, revision, created_at,
                updated_at
            """;

        // its deliveries are canceled by its sender, which finds it gone
        public const string Delete = """
            UPDATE webhook_endpoints
            SET deleted_at = @Now, state = 'disabled', secrets = '{}'
            WHERE project_id = @ProjectId AND id = @Id
            """;
    }
}
