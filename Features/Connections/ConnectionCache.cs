using System.Collections.Concurrent;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Connections;

/// <summary>Opens connections by name or id; what was read is believed for five seconds.</summary>
/// <remarks>
/// A change through this process is seen at once, and so is a new value of a secret it names. Names that lead nowhere are not
/// remembered. What a connection is limited to, and the token it holds, are kept for as long as it is there.
/// </remarks>
public sealed class ConnectionCache(
    NpgsqlDataSource database,
    NamedSecrets secrets,
    SecretBox box,
    OutgoingClient client,
    TimeProvider clock
)
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);

    // written by whoever found nothing young enough; a race costs one more look
    private readonly ConcurrentDictionary<
        (Guid ProjectId, string NameOrId),
        (SealedConnection Row, long ReadAt)
    > _found = new();
    private readonly ConcurrentDictionary<Guid, HttpState> _states = new();

    /// <summary>The connection with its secret open; null where the project has none of that name or id.</summary>
    /// <exception cref="SealedValueException">Its secret is there and does not open.</exception>
    public async ValueTask<OpenConnection?> FindAsync(
        Guid projectId,
        string nameOrId,
        CancellationToken cancellationToken
    )
    {
        if (await FindSealedAsync(projectId, nameOrId, cancellationToken) is not { } row)
        {
            return null;
        }

        var secret = row.SecretName is null
            ? row.Open(projectId, box)
            : await secrets.FindAsync(projectId, row.SecretName, cancellationToken);
        return new OpenConnection(projectId, row.Id, row.Name, row.Kind, row.ReadConfig(), secret);
    }

    /// <summary>The same, as it is now and not as it is remembered.</summary>
    internal async ValueTask<OpenConnection?> FindNowAsync(
        Guid projectId,
        string nameOrId,
        CancellationToken cancellationToken
    )
    {
        _found.TryRemove((projectId, nameOrId), out _);
        if (await FindSealedAsync(projectId, nameOrId, cancellationToken) is { SecretName: { } secret })
        {
            secrets.Forget(projectId, secret);
        }

        return await FindAsync(projectId, nameOrId, cancellationToken);
    }

    /// <summary>A connection to send HTTP requests through: of kind http, or llm. Null where there is none of that name or id.</summary>
    /// <exception cref="ConnectionKindException">It is of another kind.</exception>
    public async ValueTask<HttpConnection?> OpenHttpAsync(
        Guid projectId,
        string nameOrId,
        CancellationToken cancellationToken
    )
    {
        var connection = await FindAsync(projectId, nameOrId, cancellationToken);
        return connection is null
            ? null
            : new HttpConnection(
                connection,
                client,
                _states.GetOrAdd(connection.Id, _ => new HttpState(client, clock))
            );
    }

    /// <summary>Has the next look go to the database.</summary>
    internal void Forget(Guid projectId, ConnectionView connection)
    {
        _found.TryRemove((projectId, connection.Name), out _);
        _found.TryRemove((projectId, $"{connection.Id}"), out _);
    }

    /// <summary>Lets go of what a connection that is gone has carried.</summary>
    internal void Drop(Guid id) => _states.TryRemove(id, out _);

    private async ValueTask<SealedConnection?> FindSealedAsync(
        Guid projectId,
        string nameOrId,
        CancellationToken cancellationToken
    )
    {
        var key = (projectId, nameOrId);
        var isKnown = _found.TryGetValue(key, out var found);
        if (isKnown && clock.GetElapsedTime(found.ReadAt) < MaxAge)
        {
            return found.Row;
        }

        var readAt = clock.GetTimestamp();
        var which = NameOrId.Parse(nameOrId);
        var arguments = new
        {
            ProjectId = projectId,
            which.Id,
            which.Name,
        };
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var row = await connection.QuerySingleOrDefaultAsync<SealedConnection>(
            Sql.Find.With(arguments, cancellationToken)
        );
        if (isKnown && row?.Id != found.Row.Id)
        {
            _found.TryRemove(key, out _);
            _states.TryRemove(found.Row.Id, out _);
        }

        if (row is not null)
        {
            _found[key] = (row, readAt);
        }

        return row;
    }

    private sealed record SealedConnection(
        Guid Id,
        string Name,
        string Kind,
        string Config,
        string? SecretName,
        string? Secret
    )
    {
        private ConnectionConfig? _config;

        public ConnectionConfig ReadConfig() => _config ??= ConnectionConfig.Read(Kind, Config);

        public string? Open(Guid projectId, SecretBox box) =>
            Secret is null ? null : box.OpenText(Secret, ConnectionSecret.PlaceOf(projectId, Id));
    }

    private static class Sql
    {
        public const string Find = """
            SELECT id, name, kind, config::text AS config, secret_name, secret
            FROM connections
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text)
            """;
    }
}
