using System.Collections.Concurrent;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Events;

/// <summary>The version of what a project's events cause. Whoever saves an automation or an endpoint raises it.</summary>
public static class RulesVersion
{
    /// <summary>Raises the version inside the transaction that changes the rules.</summary>
    public static Task RaiseAsync(NpgsqlConnection connection, Guid projectId, CancellationToken cancellationToken) =>
        connection.ExecuteAsync(Sql.Raise.With(new { ProjectId = projectId }, cancellationToken));

    public static Task<long> ReadAsync(
        NpgsqlConnection connection,
        Guid projectId,
        CancellationToken cancellationToken
    ) => connection.QuerySingleAsync<long>(Sql.Read.With(new { ProjectId = projectId }, cancellationToken));

    private static class Sql
    {
        public const string Raise = """
            INSERT INTO rules_versions AS v (project_id, version)
            VALUES (@ProjectId, 2)
            ON CONFLICT (project_id) DO UPDATE SET version = v.version + 1
            """;

        public const string Read =
            "SELECT COALESCE((SELECT version FROM rules_versions WHERE project_id = @ProjectId), 1)";
    }
}

/// <summary>A project's rules as one route needs them, with the version they were read at.</summary>
public sealed record VersionedRules<T>(long Version, T Rules);

/// <summary>Keeps each project's rules in memory until they are forgotten.</summary>
/// <remarks>The version is read before the rows: rules may be newer than their version says, never older.</remarks>
public sealed class RulesCache<T>(
    NpgsqlDataSource database,
    Func<NpgsqlConnection, Guid, CancellationToken, Task<T>> load
)
{
    private readonly ConcurrentDictionary<Guid, Task<VersionedRules<T>>> _projects = new();

    public async ValueTask<VersionedRules<T>> GetAsync(Guid projectId, CancellationToken cancellationToken)
    {
        var loading = _projects.GetOrAdd(projectId, LoadAsync);
        if (loading.IsCompletedSuccessfully)
        {
            return loading.Result;
        }

        try
        {
            return await loading.WaitAsync(cancellationToken);
        }
        catch when (loading.IsFaulted)
        {
            _projects.TryRemove(KeyValuePair.Create(projectId, loading)); // an outage is not remembered
            throw;
        }
    }

    public void Forget(Guid projectId) => _projects.TryRemove(projectId, out _);

    // shared by all who wait for it, so it ends with nobody's token
    private async Task<VersionedRules<T>> LoadAsync(Guid projectId)
    {
        await using var connection = await database.OpenConnectionAsync(CancellationToken.None);
        var version = await RulesVersion.ReadAsync(connection, projectId, CancellationToken.None);
        return new VersionedRules<T>(version, await load(connection, projectId, CancellationToken.None));
    }
}
