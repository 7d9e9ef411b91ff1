using System.Runtime.CompilerServices;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Tells who waits for a job when it has moved on: at once where this process ended it, else within a quarter of a second.</summary>
/// <remarks>
/// However many wait, one statement a round asks for all of their jobs, and none while nobody waits; with thousands of jobs rounds
/// are further apart, a second and a half for ten thousand. An outage is passed over: who waits is told when the database is back.
/// Who waits has no timer and no token of its own: the rounds also tell that nothing has changed, and that the service stops.
/// </remarks>
public sealed class JobWatch : IDisposable
{
    private static readonly TimeSpan ShortestRound = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan RoundPerJob = TimeSpan.FromMilliseconds(0.15);

    private readonly NpgsqlDataSource _database;
    private readonly TimeProvider _clock;
    private readonly CancellationToken _stopping;
    private readonly CancellationTokenRegistration _onStopping;
    private readonly Lock _lock = new();

    // under the lock: joined and left by who waits, looked through by the round and by whoever touches
    private readonly Dictionary<(Guid ProjectId, Guid JobId), Watched> _watched = [];

    // raised by whoever touches, taken by the one round
    private readonly SemaphoreSlim _touched = new(0, 1);

    private readonly Rounds _rounds;

    public JobWatch(
        NpgsqlDataSource database,
        TimeProvider clock,
        IHostApplicationLifetime lifetime,
        ILogger<JobWatch> logger
    )
    {
        (_database, _clock, _stopping) = (database, clock, lifetime.ApplicationStopping);
        _rounds = new Rounds(RoundAsync, clock, logger);
        _onStopping = _stopping.Register(() => Watching().ForEach(one => one.Watched.Wake()));
    }

    /// <summary>To be called when this process has stored the end of a job, from any thread.</summary>
    internal void Touch(Guid projectId, Guid jobId)
    {
        lock (_lock)
        {
            if (_watched.ContainsKey((projectId, jobId)) && _touched.CurrentCount == 0)
            {
                _touched.Release();
            }
        }
    }

    /// <summary>Where the job is, and then each change, until it is over. Ends at once where there is no such job, or when the service stops.</summary>
    /// <remarks>
    /// Of changes that follow each other faster than they are looked for, the last one is told. Null is told after each
    /// <see cref="EventStream.Silence"/> without a change.
    /// </remarks>
    public async IAsyncEnumerable<JobStep?> FollowAsync(
        Guid projectId,
        Guid jobId,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var watched = Join((projectId, jobId));
        try
        {
            JobStep? told = null;
            while (true)
            {
                // taken before anything is looked at: a change in between is not missed
                var woken = watched.Woken;
                if (_stopping.IsCancellationRequested)
                {
                    yield break;
                }

                if (watched.Step is { } step && step != told)
                {
                    yield return told = step;
                }

                if (watched.IsGone || told is { IsOver: true })
                {
                    yield break;
                }

                await woken.WaitAsync(cancellationToken);
                if (watched.Step == told)
                {
                    yield return null;
                }
            }
        }
        finally
        {
            Leave((projectId, jobId), watched);
        }
    }

    public void Dispose()
    {
        _onStopping.Dispose();
        _touched.Dispose();
    }

    private Watched Join((Guid ProjectId, Guid JobId) key)
    {
        lock (_lock)
        {
            if (!_watched.TryGetValue(key, out var watched))
            {
                _watched[key] = watched = new Watched(_clock);
            }

            watched.Count++;
            _rounds.Enter();
            return watched;
        }
    }

    private void Leave((Guid ProjectId, Guid JobId) key, Watched watched)
    {
        lock (_lock)
        {
            if (--watched.Count == 0)
            {
                _watched.Remove(key);
            }
        }

        _rounds.Leave();
    }

    private async Task RoundAsync()
    {
        var asked = Watching();
        await LookAsync(asked);
        asked.ForEach(one => one.Watched.WakeAfterSilence());
        var round = RoundPerJob * asked.Count;
        using var due = new CancellationTokenSource(round > ShortestRound ? round : ShortestRound, _clock);
        try
        {
            await _touched.WaitAsync(due.Token);
        }
        catch (OperationCanceledException)
        {
            // nobody touched
        }
    }

    private List<((Guid ProjectId, Guid JobId) Key, Watched Watched)> Watching()
    {
        lock (_lock)
        {
            return [.. _watched.Select(one => (one.Key, one.Value))];
        }
    }

    private async Task LookAsync(List<((Guid ProjectId, Guid JobId) Key, Watched Watched)> asked)
    {
        try
        {
            await using var connection = await _database.OpenConnectionAsync();
            var rows = await connection.QueryAsync<Row>(
                Sql.Look.With(
                    new
                    {
                        ProjectIds = asked.Select(one => one.Key.ProjectId).ToArray(),
                        Ids = asked.Select(one => one.Key.JobId).ToArray(),
                    },
                    CancellationToken.None
                )
            );
            var found = rows.ToDictionary(row => (row.ProjectId, row.Id));
            foreach (var (key, watched) in asked)
            {
                watched.Become(found.GetValueOrDefault(key)?.ToStep());
            }
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            // the next round asks again
        }
    }

    private sealed record Row(Guid ProjectId, Guid Id, short? State, short? Outcome, long ClaimNo, bool IsCanceling)
    {
        public JobStep ToStep() =>
            new(
                $"{ClaimNo}{(IsCanceling ? "c" : "")}-{JobState.Of(State, Outcome)}",
                Outcome is not null,
                new ShownStep()
            );
    }

    /// <summary>A job that somebody waits for. Only the round writes, but for the count, which is under the lock.</summary>
    private sealed class Watched(TimeProvider clock)
    {
        // swapped by the round, and when the service stops
        private TaskCompletionSource _woken = New();
        private long _wokenAt = clock.GetTimestamp();

        public int Count { get; set; }

        public JobStep? Step { get; private set; }

        public bool IsGone { get; private set; }

        /// <summary>Over when there is something to be seen, or nothing was for a while.</summary>
        public Task Woken => Volatile.Read(ref _woken).Task;

        public void Become(JobStep? step)
        {
            if (step is null || step != Step)
            {
                (Step, IsGone) = (step ?? Step, step is null);
                Wake();
            }
        }

        public void WakeAfterSilence()
        {
            if (clock.GetElapsedTime(_wokenAt) >= EventStream.Silence)
            {
                Wake();
            }
        }

        public void Wake()
        {
            _wokenAt = clock.GetTimestamp();
            Interlocked.Exchange(ref _woken, New()).SetResult();
        }

        private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private static class Sql
    {
        // in one statement, so that a job which ends meanwhile is seen in one of its tables
        public const string Look = """
            SELECT w.project_id, w.id, j.state, NULL::smallint AS outcome, j.claim_no,
                j.cancel_requested_at IS NOT NULL AS is_canceling
            FROM unnest(@ProjectIds::uuid[], @Ids::uuid[]) AS w(project_id, id)
            CROSS JOIN LATERAL (
                SELECT state, claim_no, cancel_requested_at FROM jobs WHERE project_id = w.project_id AND id = w.id LIMIT 1
            ) j
            UNION ALL
            SELECT w.project_id, w.id, NULL, h.outcome, h.claim_no, false
            FROM unnest(@ProjectIds::uuid[], @Ids::uuid[]) AS w(project_id, id)
            CROSS JOIN LATERAL (
                SELECT outcome, claim_no
                FROM job_history
                WHERE project_id = w.project_id AND id = w.id AND finished_at >= id_time(w.id) - interval '1 minute'
                LIMIT 1
            ) h
            """;
    }
}
