using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Connections;

/// <summary>A connection as whoever speaks through it meets it, its secret open. Its text form never shows the secret.</summary>
/// <param name="Config">Of the type that belongs to the kind, such as <see cref="SmtpConfig"/>.</param>
/// <param name="Secret">Null: it has none, or names one that is gone.</param>
public sealed record OpenConnection(
    Guid ProjectId,
    Guid Id,
    string Name,
    string Kind,
    ConnectionConfig Config,
    string? Secret
)
{
    public override string ToString() => $"{Kind} connection {Name}";
}

/// <summary>Thrown where a connection of one kind was to be spoken through in the way of another.</summary>
public sealed class ConnectionKindException(OpenConnection connection, string wanted)
    : Exception($"{connection.Name} is a connection of kind {connection.Kind}, not {wanted}.");

/// <summary>The connections of a project by name, for whoever saves what refers to them.</summary>
public sealed class ConnectionNames
{
    /// <summary>
    /// The id and kind of every connection that the caller reaches, by its name; none of them can be deleted before the
    /// transaction ends.
    /// </summary>
    public async Task<IReadOnlyDictionary<string, (Guid Id, string Kind)>> NamesAsync(
        NpgsqlConnection connection,
        Caller caller,
        CancellationToken cancellationToken
    ) =>
        (
            await connection.QueryAsync<(string Name, Guid Id, string Kind)>(
                Sql.Names.With(
                    new
                    {
                        caller.ProjectId,
                        caller.ReachTags,
                        caller.ReachOwner,
                    },
                    cancellationToken
                )
            )
        ).ToDictionary(row => row.Name, row => (row.Id, row.Kind), StringComparer.Ordinal);

    private static class Sql
    {
        public const string Names =
            "SELECT name, id, kind FROM connections WHERE project_id = @ProjectId"
            + Reach.Rows
            + " ORDER BY id FOR KEY SHARE";
    }
}

/// <summary>Says which connections name a secret.</summary>
internal sealed class SecretsOfConnections : ISecretUser
{
    public async Task<IEnumerable<SecretUse>> FindAsync(
        NpgsqlConnection connection,
        Guid projectId,
        string[] secrets,
        CancellationToken cancellationToken
    ) =>
        await connection.QueryAsync<SecretUse>(
            Sql.Find.With(new { ProjectId = projectId, Secrets = secrets }, cancellationToken)
        );

    private static class Sql
    {
        public const string Find = """
            SELECT secret_name AS secret, 'connections/' || name AS by
            FROM connections
            WHERE project_id = @ProjectId AND secret_name = ANY(@Secrets::text[])
            """;
    }
}
