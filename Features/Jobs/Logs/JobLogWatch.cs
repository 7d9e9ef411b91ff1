using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>Tells who follows the log of a job what has come since: within a quarter of a second of its commit.</summary>
/// <remarks>
/// One loop reads for all who follow in this process, and not while nobody does: in a round 64 places in logs at most, of each 100
/// lines; with more there are further rounds, at once. Who is at the same place in the same log shares what is read. An outage is
/// passed over.
/// </remarks>
internal sealed class JobLogWatch
{
    private const int MaxPlaces = 64;
    private const int MaxLines = 100;
    private static readonly TimeSpan Round = TimeSpan.FromMilliseconds(250);

    private readonly NpgsqlDataSource _database;
    private readonly TimeProvider _clock;
    private readonly CancellationToken _stopping;
    private readonly Rounds _rounds;
    private readonly Lock _lock = new();

    // under the lock: places that somebody asks for what comes behind
    private readonly Dictionary<Place, Asked> _asked = [];

    public JobLogWatch(
        NpgsqlDataSource database,
        TimeProvider clock,
        ILogger<JobLogWatch> logger,
        IHostApplicationLifetime? lifetime = null
    )
    {
        (_database, _clock) = (database, clock);
        _stopping = lifetime?.ApplicationStopping ?? CancellationToken.None;
        _rounds = new Rounds(RoundAsync, clock, logger);
    }

    /// <summary>The lines behind a place, once there are some.</summary>
    /// <returns>
    /// No lines: the job is over and has no more, or nothing has come for <see cref="EventStream.Silence"/>, or the service stops.
    /// </returns>
    public async Task<LogStep> NextAsync(Guid projectId, Guid jobId, long after, CancellationToken cancellationToken)
    {
        var place = new Place(projectId, jobId, after);
        Asked asked;
        lock (_lock)
        {
            if (!_asked.TryGetValue(place, out asked!))
            {
                _asked[place] = asked = new Asked(_clock.GetTimestamp());
            }

            asked.Count++;
        }

        _rounds.Enter();

        try
        {
            return await asked.Answer.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            _rounds.Leave();
            lock (_lock)
            {
                if (--asked.Count == 0 && _asked.GetValueOrDefault(place) == asked)
                {
                    _asked.Remove(place);
                }
            }
        }
    }

    private async Task RoundAsync()
    {
        var round = _clock.GetTimestamp();
        var hasMore = false;
        foreach (var some in Places().Chunk(MaxPlaces))
        {
            hasMore |= await LookAsync(some);
        }

        if (!hasMore && Round - _clock.GetElapsedTime(round) is { Ticks: > 0 } rest)
        {
            await Task.Delay(rest, _clock, _stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private Place[] Places()
    {
        lock (_lock)
        {
            return [.. _asked.Keys];
        }
    }

    /// <summary>Answers whether some of them have more than was read.</summary>
    private async Task<bool> LookAsync(Place[] places)
    {
        var rows = Array.Empty<Row>().ToLookup(row => row.Position);
        try
        {
            await using var connection = await _database.OpenConnectionAsync();
            rows = (
                await connection.QueryAsync<Row>(
                    Sql.Look.With(
                        new
                        {
                            ProjectIds = Array.ConvertAll(places, place => place.ProjectId),
                            Ids = Array.ConvertAll(places, place => place.JobId),
                            Afters = Array.ConvertAll(places, place => place.After),
                            Take = MaxLines,
                        },
                        CancellationToken.None
                    )
                )
            ).ToLookup(row => row.Position);
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            // the next round asks again
        }

        var hasMore = false;
        for (var index = 0; index < places.Length; index++)
        {
            var found = rows[index + 1].ToArray();
            var lines = found.Where(row => row.Seq is not null).Select(row => row.ToLine()).ToArray();
            var isOver = found is [{ IsOver: true }, ..] && lines.Length < MaxLines;
            hasMore |= lines.Length == MaxLines;
            Tell(places[index], new LogStep([.. JobLogLine.Show(lines, places[index].After)], isOver));
        }

        return hasMore;
    }

    private void Tell(Place place, LogStep step)
    {
        lock (_lock)
        {
            if (
                _asked.TryGetValue(place, out var asked)
                && (
                    step is { Lines.Count: > 0 } or { IsOver: true }
                    || _stopping.IsCancellationRequested
                    || _clock.GetElapsedTime(asked.Since) >= EventStream.Silence
                )
            )
            {
                _asked.Remove(place);
                asked.Answer.SetResult(step);
            }
        }
    }

    private readonly record struct Place(Guid ProjectId, Guid JobId, long After);

    /// <summary>What comes behind a place, for those who asked for it at the same time; the count is under the lock.</summary>
    private sealed class Asked(long since)
    {
        public long Since { get; } = since;

        public int Count { get; set; }

        public TaskCompletionSource<LogStep> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed record Row(
        long Position,
        long? Seq,
        DateTime? At,
        short? Level,
        string? Line,
        int? Number,
        bool IsOver
    )
    {
        public StoredLine ToLine() => new(Seq!.Value, At!.Value, Level!.Value, Line!, Number!.Value);
    }

    private static class Sql
    {
        // in one statement: where the job is over, every line it will ever have is seen, for they were stored before its end
        public const string Look = """
            SELECT w.position, l.seq, l.at, l.level, l.line, l.number,
                NOT EXISTS (SELECT FROM jobs j WHERE j.project_id = w.project_id AND j.id = w.id) AS is_over
            FROM unnest(@ProjectIds::uuid[], @Ids::uuid[], @Afters::bigint[])
                WITH ORDINALITY AS w(project_id, id, after, position)
            LEFT JOIN LATERAL (
                SELECT seq, at, level, line, number
                FROM job_logs
                WHERE project_id = w.project_id AND job_id = w.id AND at >= id_time(w.id) - interval '1 minute'
                    AND seq > w.after
                ORDER BY seq
                LIMIT @Take
            ) AS l ON true
            ORDER BY w.position, l.seq
            """;
    }
}

/// <summary>What came behind a place in the log of a job.</summary>
/// <param name="IsOver">The job is over, and has no lines behind these.</param>
internal sealed record LogStep(IReadOnlyList<JobLogLine> Lines, bool IsOver);
