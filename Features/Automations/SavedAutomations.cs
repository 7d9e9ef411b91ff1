using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>What saving an automation answers.</summary>
/// <param name="State"><c>active</c> or <c>disabled</c>.</param>
/// <param name="Warnings">What its author should know, such as automations that may start each other for ever.</param>
public sealed record SavedAutomation(
    Guid Id,
    string Name,
    int Version,
    string State,
    IReadOnlyList<AutomationWarning> Warnings
);

/// <summary>Saves versions of automations.</summary>
/// <remarks>
/// The version, its being the active one, and the new version of the project's rules are one transaction: an event whose request
/// begins after the answer is matched against what was saved. Runs keep the version they began with.
/// </remarks>
internal sealed class SavedAutomations(
    NpgsqlDataSource database,
    RunRoute route,
    JobKinds kinds,
    Caller caller,
    TimeProvider clock
)
{
    /// <summary>Saves the first version; a name that is taken is refused.</summary>
    public Task<Result<SavedAutomation>> CreateAsync(
        AutomationDocument document,
        CancellationToken cancellationToken
    ) => SaveAsync(document, Sql.Create, cancellationToken);

    /// <summary>Saves the next version under the document's name, or the first one.</summary>
    public Task<Result<SavedAutomation>> PutAsync(AutomationDocument document, CancellationToken cancellationToken) =>
        SaveAsync(document, Sql.Put, cancellationToken);

    private async Task<Result<SavedAutomation>> SaveAsync(
        AutomationDocument document,
        string sql,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var targets = new JobTargets(kinds, await ReadQueuesAsync(connection, cancellationToken));
        if (CompiledAutomation.Compile(document, targets).Problem is { } problem)
        {
            return problem;
        }

        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var saved = await connection.QuerySingleOrDefaultAsync<Row>(
            sql.With(
                new
                {
                    caller.ProjectId,
                    Id = Guid.CreateVersion7(clock.GetUtcNow()),
                    document.Name,
                    State = document.Enabled == false ? "disabled" : "active",
                    Now = clock.GetUtcNow().UtcDateTime,
                    Definition = document.ToJson(),
                    caller.Actor,
                },
                cancellationToken
            )
        );
        if (saved is null)
        {
            return AutomationProblems.NameTaken(document.Name!);
        }

        await RulesVersion.RaiseAsync(connection, caller.ProjectId, cancellationToken);
        var active = await connection.QueryAsync<string>(Sql.Active.With(new { caller.ProjectId }, cancellationToken));
        await transaction.CommitAsync(cancellationToken);
        route.Forget(caller.ProjectId);
        var warnings = CycleCheck.Of(saved.Name, [.. active.Select(AutomationDocument.Read)]);
        return new SavedAutomation(saved.Id, saved.Name, saved.Version, saved.State, warnings);
    }

    private async Task<Dictionary<string, bool>> ReadQueuesAsync(
        NpgsqlConnection connection,
        CancellationToken cancellationToken
    )
    {
        var queues = await connection.QueryAsync<(string Name, bool ServedHere)>(
            Sql.Queues.With(new { caller.ProjectId }, cancellationToken)
        );
        return queues.ToDictionary(queue => queue.Name, queue => queue.ServedHere);
    }

    private sealed record Row(Guid Id, string Name, int Version, string State);

    private static class Sql
    {
        public const string Queues = """
            SELECT name, served_by = 'service' AS served_here
            FROM queues
            WHERE project_id = @ProjectId
            """;

        public const string Create = """
            WITH saved AS (
                INSERT INTO automations (project_id, id, name, active_version, state, created_at, updated_at)
                VALUES (@ProjectId, @Id, @Name, 1, @State, @Now, @Now)
                ON CONFLICT (project_id, name) DO NOTHING
                RETURNING id, name, active_version, state
            ),
            versioned AS (
                INSERT INTO automation_versions (project_id, automation_id, version, definition, created_at, created_by)
                SELECT @ProjectId, id, active_version, @Definition::json, @Now, @Actor
                FROM saved
            )
            SELECT id, name, active_version AS version, state FROM saved
            """;

        public const string Put = """
            WITH saved AS (
                INSERT INTO automations AS a (project_id, id, name, active_version, state, created_at, updated_at)
                VALUES (@ProjectId, @Id, @Name, 1, @State, @Now, @Now)
                ON CONFLICT (project_id, name) DO UPDATE
                    SET active_version = a.active_version + 1, state = EXCLUDED.state, updated_at = EXCLUDED.updated_at
                RETURNING id, name, active_version, state
            ),
            versioned AS (
                INSERT INTO automation_versions (project_id, automation_id, version, definition, created_at, created_by)
                SELECT @ProjectId, id, active_version, @Definition::json, @Now, @Actor
                FROM saved
            )
            SELECT id, name, active_version AS version, state FROM saved
            """;

        public const string Active = """
            SELECT v.definition::text
            FROM automations a
            JOIN automation_versions v
                ON v.project_id = a.project_id AND v.automation_id = a.id AND v.version = a.active_version
            WHERE a.project_id = @ProjectId AND a.state = 'active'
            ORDER BY a.name
            """;
    }
}
