using System.Collections.Concurrent;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Which workers there are, and what each is to do.</summary>
/// <remarks>
/// Written at once when a worker is new, was away for a minute, or says something else of itself, and else twice a minute, for all who
/// are due together: a thousand workers cost what one costs. A directive that is given here or elsewhere is known to each process at once
/// by a signal, else within half a minute.
/// </remarks>
public sealed class WorkerRegistry : IDisposable
{
    internal const string Topic = "worker:";
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);

    private readonly Databases _databases;
    private readonly TimeProvider _clock;
    private readonly IDisposable _subscription;

    // written by claims and heartbeats, forgotten when a directive is given
    private readonly ConcurrentDictionary<(Guid ProjectId, Guid WorkerId), Seen> _seen = new();

    // put there by claims and heartbeats, taken by the one who notes them all
    private readonly ConcurrentDictionary<(Guid ProjectId, Guid WorkerId), Seen> _due = new();

    public WorkerRegistry(Databases databases, Notifications notifications, TimeProvider clock)
    {
        (_databases, _clock) = (databases, clock);
        _subscription = notifications.Subscribe(Topic, Forget);
    }

    /// <summary>Notes that a worker is there; answers what it is to do.</summary>
    /// <param name="queues">Those it claims from; null: as before.</param>
    public async ValueTask<string> SawAsync(
        Guid projectId,
        WorkerDocument worker,
        IReadOnlyList<string>? queues,
        CancellationToken cancellationToken
    )
    {
        var key = (projectId, worker.Id!.Value);
        var names = queues is null ? null : string.Join('\n', queues.Order(StringComparer.Ordinal));
        if (
            _seen.TryGetValue(key, out var seen)
            && (names is null || (names == seen.Queues && worker == seen.Worker)) // a heartbeat may say less of itself
            && _clock.GetElapsedTime(seen.At) is var ago
            && ago < 2 * Pause
        )
        {
            if (ago >= Pause)
            {
                _due[key] = seen;
            }

            return seen.Directive;
        }

        // a heartbeat waits for no request's session, or a lease would be lost for it; a claim may
        var database = queues is null ? _databases.Workers : _databases.Main;
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var directive = await connection.QuerySingleAsync<string>(
            Sql.Save.With(
                new
                {
                    ProjectId = projectId,
                    Id = worker.Id,
                    worker.Name,
                    worker.Version,
                    worker.Host,
                    Queues = queues?.Distinct(StringComparer.Ordinal).ToArray(),
                },
                cancellationToken
            )
        );
        _seen[key] = new Seen(_clock.GetTimestamp(), worker, names ?? seen?.Queues ?? "", directive);
        Prune();
        return directive;
    }

    /// <summary>Somebody is to be noted.</summary>
    internal bool HasDue => !_due.IsEmpty;

    /// <summary>Notes all at once who was there in the last half minute and is not noted yet.</summary>
    internal async Task NoteAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (!HasDue)
        {
            return;
        }

        var due = _due.ToArray();
        var now = _clock.GetTimestamp();
        var noted = (
            await connection.QueryAsync<(Guid ProjectId, Guid Id, string Directive)>(
                Sql.Note.With(
                    new
                    {
                        ProjectIds = due.Select(one => one.Key.ProjectId).ToArray(),
                        Ids = due.Select(one => one.Key.WorkerId).ToArray(),
                    },
                    cancellationToken
                )
            )
        ).ToDictionary(row => (row.ProjectId, row.Id), row => row.Directive);
        foreach (var (key, seen) in due)
        {
            _due.TryRemove(new(key, seen));
            if (noted.TryGetValue(key, out var directive))
            {
                _seen.TryUpdate(key, seen with { At = now, Directive = directive }, seen);
            }
            else
            {
                _seen.TryRemove(new(key, seen)); // forgotten, or held by somebody: it is new when it comes again
            }
        }
    }

    public void Dispose() => _subscription.Dispose();

    private void Forget(string topic)
    {
        if (!Guid.TryParse(topic.AsSpan(Topic.Length), out var id))
        {
            _seen.Clear();
            return;
        }

        foreach (var key in _seen.Keys.Where(key => key.WorkerId == id))
        {
            _seen.TryRemove(key, out _);
        }
    }

    // workers come and go, each with an id of its own
    private void Prune()
    {
        if (_seen.Count > 10_000)
        {
            foreach (var (key, seen) in _seen.Where(pair => _clock.GetElapsedTime(pair.Value.At) > Pause))
            {
                _seen.TryRemove(new(key, seen));
            }
        }
    }

    private sealed record Seen(long At, WorkerDocument Worker, string Queues, string Directive);

    private static class Sql
    {
        public const string Save = """
            INSERT INTO workers AS w (project_id, id, name, version, host, queues)
            VALUES (@ProjectId, @Id, @Name, @Version, @Host, COALESCE(@Queues::text[], '{}'))
            ON CONFLICT (project_id, id) DO UPDATE
            SET name = excluded.name, version = excluded.version, host = excluded.host,
                queues = COALESCE(@Queues::text[], w.queues), last_seen_at = now()
            RETURNING directive
            """;

        // engine-wide: those of all projects. Those who wait are not to wait for a row that somebody holds.
        public const string Note = """
            WITH locked AS MATERIALIZED (
                SELECT w.project_id, w.id
                FROM unnest(@ProjectIds::uuid[], @Ids::uuid[]) AS d(project_id, id)
                JOIN workers w ON w.project_id = d.project_id AND w.id = d.id
                FOR NO KEY UPDATE OF w SKIP LOCKED
            )
            UPDATE workers w
            SET last_seen_at = now()
            FROM locked l
            WHERE w.project_id = l.project_id AND w.id = l.id
            RETURNING w.project_id, w.id, w.directive
            """;
    }
}
