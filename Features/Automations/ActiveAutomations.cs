using Bellhop.Features.Events;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Expressions;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>What routing needs of an automation that is active.</summary>
/// <param name="If">Null: always. An error: it was saved by a version that took it.</param>
internal sealed record ActiveAutomation(
    Guid Id,
    string Name,
    int Version,
    IReadOnlyCollection<EventTypePattern> Types,
    ExpressionResult<Expression>? If
);

/// <summary>The active automations of one project.</summary>
internal sealed class ActiveAutomations(IReadOnlyList<ActiveAutomation> automations)
{
    private readonly EventTypeIndex<ActiveAutomation> _index = new(
        automations.Select(automation => (automation, automation.Types))
    );

    /// <summary>Those that an event of this type may start, before their <c>if</c> is asked.</summary>
    public IReadOnlyList<ActiveAutomation> Matching(string type) => _index.Find(type);

    public static async Task<ActiveAutomations> LoadAsync(
        NpgsqlConnection connection,
        Guid projectId,
        CancellationToken cancellationToken
    )
    {
        var rows = await connection.QueryAsync<Row>(Sql.Load.With(new { ProjectId = projectId }, cancellationToken));
        return new ActiveAutomations([.. rows.Select(row => row.ToActive())]);
    }

    private sealed record Row(Guid Id, string Name, int Version, string Definition)
    {
        public ActiveAutomation ToActive()
        {
            var document = AutomationDocument.Read(Definition);
            return new ActiveAutomation(
                Id,
                Name,
                Version,
                [.. document.On!.Type!.Select(type => EventTypePattern.Parse(type)!)],
                document.If is null
                    ? (ExpressionResult<Expression>?)null
                    : Expression.CompileCondition(document.If, AutomationScope.After([]))
            );
        }
    }

    private static class Sql
    {
        public const string Load = """
            SELECT a.id, a.name, a.active_version AS version, v.definition::text AS definition
            FROM automations a
            JOIN automation_versions v
                ON v.project_id = a.project_id AND v.automation_id = a.id AND v.version = a.active_version
            WHERE a.project_id = @ProjectId AND a.state = 'active' AND a.deleted_at IS NULL
            ORDER BY a.name
            """;
    }
}
