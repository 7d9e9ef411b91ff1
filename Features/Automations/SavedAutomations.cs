using System.ComponentModel.DataAnnotations;
using Bellhop.Features.Connections;
using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Outgoing;
using Dapper;

namespace Bellhop.Features.Automations;

/// <summary>What saving an automation answers.</summary>
/// <param name="State"><c>active</c> or <c>disabled</c>.</param>
/// <param name="Warnings">What its author should know, such as automations that may start each other for ever.</param>
public sealed record SavedAutomation(
    Guid Id,
    [property: SlugShape] string Name,
    [property: Range(1, int.MaxValue)] int Version,
    [property: WordOf(typeof(AutomationState))] string State,
    [property: MaxLength(1)] IReadOnlyList<AutomationWarning> Warnings
) : IRevised, IExampled<SavedAutomation>
{
    public static SavedAutomation Example => new(Story.Automation, Story.Name, 1, "active", []);

    int IRevised.Revision => Version;
}

/// <summary>Saves versions of automations.</summary>
/// <remarks>
/// The version, its being the active one, and the new version of the project's rules are one transaction: an event whose request
/// begins after the answer is matched against what was saved. Runs keep the version they began with.
/// </remarks>
internal sealed class SavedAutomations(
    UnitOfWork works,
    RunRoute route,
    JobKinds kinds,
    AddressPolicy addresses,
    ConnectionNames connections,
    Caller caller,
    AuditTrail audit,
    TimeProvider clock
) : ConfigurationStore<AutomationDocument, SavedAutomation>(works, caller, audit)
{
    protected override string Noun => "automation";

    protected override string Collection => "automations";

    protected override async Task<Stored<AutomationDocument, SavedAutomation>?> LockAsync(
        Work work,
        NameOrId which,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleOrDefaultAsync<Row>(
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
        if (row is null)
        {
            return null;
        }

        // a statement of its own: that of the lock began before another's version was there, and would not see it
        var definition = await work.Connection.QuerySingleAsync<string>(
            Sql.Definition.With(
                new
                {
                    ProjectId,
                    row.Id,
                    row.Version,
                },
                cancellationToken
            )
        );
        return new Stored<AutomationDocument, SavedAutomation>(
            row.ToSaved(),
            AutomationDocument.Read(definition).Named(row.Name),
            row.OwnerId
        );
    }

    protected override async ValueTask<Problem?> CheckAsync(
        Work work,
        AutomationDocument document,
        Stored<AutomationDocument, SavedAutomation>? stored,
        CancellationToken cancellationToken
    )
    {
        var queues = await work.Connection.QueryAsync<(string Name, bool ServedHere)>(
            Sql.Queues.With(new { ProjectId }, cancellationToken)
        );
        var jobs = new JobTargets(
            kinds,
            queues.ToDictionary(queue => queue.Name, queue => queue.ServedHere),
            Caller.Access
        );
        var known = await connections.NamesAsync(work.Connection, Caller, cancellationToken);
        var secrets = await SecretNames.ReadAsync(work.Connection, ProjectId, cancellationToken);
        return CompiledAutomation.Compile(document, new StepTargets(jobs, addresses, known, secrets)).Problem;
    }

    protected override async Task<SavedAutomation?> InsertAsync(
        Work work,
        AutomationDocument document,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleOrDefaultAsync<Row>(
            Sql.Create.With(ToArguments(null, 1, document), cancellationToken)
        );
        return row?.ToSaved();
    }

    protected override async Task<SavedAutomation> UpdateAsync(
        Work work,
        Stored<AutomationDocument, SavedAutomation> stored,
        AutomationDocument document,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleAsync<Row>(
            Sql.Update.With(ToArguments(stored.View.Id, stored.View.Version, document), cancellationToken)
        );
        return row.ToSaved();
    }

    protected override async Task<Problem?> RemoveAsync(
        Work work,
        Stored<AutomationDocument, SavedAutomation> stored,
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

    protected override async Task<SavedAutomation> FollowAsync(
        Work work,
        SavedAutomation view,
        AutomationDocument document,
        CancellationToken cancellationToken
    )
    {
        await RulesVersion.RaiseAsync(work.Connection, ProjectId, cancellationToken);
        work.AfterCommit(() => route.Forget(ProjectId));
        var active = await work.Connection.QueryAsync<string>(Sql.Active.With(new { ProjectId }, cancellationToken));
        return view with { Warnings = CycleCheck.Of(view.Name, [.. active.Select(AutomationDocument.Read)]) };
    }

    /// <param name="known">Null: a new id, of the very moment that is stored, since lists are bounded by the one and show the other.</param>
    private object ToArguments(Guid? known, int version, AutomationDocument document)
    {
        var now = clock.GetUtcNow();
        var id = known ?? Guid.CreateVersion7(now);
        return new
        {
            ProjectId,
            Id = id,
            Version = version,
            document.Name,
            State = document.Enabled == false ? "disabled" : "active",
            Now = now.UtcDateTime,
            Definition = document.ToJson(),
            Tags = document.Tags?.ToArray() ?? [],
            OwnerId = CallerId,
            Actor,
        };
    }

    private sealed record Row(Guid Id, string Name, int Version, string State, Guid? OwnerId)
    {
        public SavedAutomation ToSaved() => new(Id, Name, Version, State, []);
    }

    private static class Sql
    {
        public const string Queues = """
            SELECT name, served_by = 'service' AS served_here
            FROM queues
            WHERE project_id = @ProjectId AND deleted_at IS NULL
            """;

        public const string Lock = """
            SELECT id, name, active_version AS version, state, owner_id
            FROM automations
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text) AND deleted_at IS NULL
            FOR UPDATE
            """;

        public const string Definition = """
            SELECT definition::text
            FROM automation_versions
            WHERE project_id = @ProjectId AND automation_id = @Id AND version = @Version
            """;

        public const string Create = """
            WITH saved AS (
                INSERT INTO automations (project_id, id, name, active_version, state, tags, owner_id, created_at, updated_at)
                VALUES (@ProjectId, @Id, @Name, @Version, @State, @Tags, @OwnerId, @Now, @Now)
                ON CONFLICT (project_id, name) WHERE deleted_at IS NULL DO NOTHING
                RETURNING id, name, active_version, state, owner_id
            ),
            versioned AS (
                INSERT INTO automation_versions (project_id, automation_id, version, definition, created_at, created_by)
                SELECT @ProjectId, id, active_version, @Definition::json, @Now, @Actor
                FROM saved
            )
            SELECT id, name, active_version AS version, state, owner_id FROM saved
            """;

        public const string Update = """
            WITH saved AS (
                UPDATE automations
                SET active_version = active_version + 1, state = @State, tags = @Tags, updated_at = @Now
                WHERE project_id = @ProjectId AND id = @Id AND active_version = @Version
                RETURNING id, name, active_version, state, owner_id
            ),
            versioned AS (
                INSERT INTO automation_versions (project_id, automation_id, version, definition, created_at, created_by)
                SELECT @ProjectId, id, active_version, @Definition::json, @Now, @Actor
                FROM saved
            )
            SELECT id, name, active_version AS version, state, owner_id FROM saved
            """;

        public const string Delete = """
            UPDATE automations
            SET deleted_at = @Now, state = 'disabled', updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id
            """;

        public const string Active = """
            SELECT v.definition::text
            FROM automations a
            JOIN automation_versions v
                ON v.project_id = a.project_id AND v.automation_id = a.id AND v.version = a.active_version
            WHERE a.project_id = @ProjectId AND a.state = 'active' AND a.deleted_at IS NULL
            ORDER BY a.name
            """;
    }
}
