using System.Runtime.CompilerServices;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;

namespace Bellhop.Features.Jobs.Tail;

/// <summary>Tells who watches a project which of its jobs begin and end, some three quarters of a second later.</summary>
/// <remarks>
/// <para>
/// Every end is told once, in the order in which jobs ended. What ended is read no further than to the moment before which nothing can
/// end any more, and so an end that is committed late holds back those behind it: by 15 seconds at most, for an end that took longer
/// is not told; the service gives up statements after ten. What begins is told where it still runs when it is looked at, and the newest
/// 500 of a round: who begins and ends between two rounds is told of as ended only.
/// </para>
/// <para>
/// One loop reads for all who watch in this process, however many, and not while nobody does: four rounds a second, in each 16 projects
/// a statement. Of a project 2,000 ends a round are told; where there are more, the rest is passed over, and a gap is told instead, as
/// it is to who reads so slowly that 4,096 events wait. An outage is passed over.
/// </para>
/// </remarks>
internal sealed class JobTail : IDisposable
{
    /// <summary>How many watch at once in a process, at most.</summary>
    public const int MaxViewers = 256;

    /// <summary>How many watch one project at once, at most.</summary>
    public const int MaxViewersOfProject = 64;

    private const int ProjectsAtOnce = 16;
    private const int BlocksARound = 4;
    private const int BlocksBack = 20;
    private static readonly TimeSpan Round = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MaxBack = TimeSpan.FromDays(1);

    private readonly TailReads _reads;
    private readonly TimeProvider _clock;
    private readonly CancellationToken _stopping;
    private readonly CancellationTokenRegistration _onStopping;
    private readonly Lock _lock = new();

    // under the lock: those that somebody watches, with all that is in them
    private readonly Dictionary<Guid, TailedProject> _watched = [];

    private readonly Rounds _rounds;

    public JobTail(
        TailReads reads,
        TimeProvider clock,
        ILogger<JobTail> logger,
        IHostApplicationLifetime? lifetime = null
    )
    {
        _rounds = new Rounds(RoundAsync, clock, logger);
        (_reads, _clock, _stopping) = (reads, clock, lifetime?.ApplicationStopping ?? CancellationToken.None);
        _onStopping = _stopping.Register(EndAll);
    }

    /// <summary>Nobody more can watch the project, until somebody leaves.</summary>
    public bool IsFull(Guid projectId)
    {
        lock (_lock)
        {
            return _watched.Values.Sum(project => project.Viewers.Count) >= MaxViewers
                || _watched.GetValueOrDefault(projectId)?.Viewers.Count >= MaxViewersOfProject;
        }
    }

    /// <param name="lastId">The id of the last event that was seen; null: it begins now.</param>
    public async Task<TailStart> BeginAsync(string? lastId, CancellationToken cancellationToken)
    {
        var moment = await _reads.SettleAsync(cancellationToken);
        var settled = TailPlace.Before(moment.SettledAt);
        var isKnown =
            TailPlace.TryParse(lastId ?? "", out var seen) && seen.At <= moment.Now && seen.At > moment.Now - MaxBack;
        return new TailStart(isKnown ? seen : settled, moment.Now, settled, lastId is not null && !isKnown);
    }

    /// <summary>What happens from the start on. It ends when the service stops, and at once where nobody more can watch.</summary>
    /// <remarks>
    /// Of what ended before somebody came, 10,000 jobs are looked at, whether they fit or not, and then the rest is a gap. Null is told
    /// where nothing has happened for long.
    /// </remarks>
    public async IAsyncEnumerable<TailEvent?> FollowAsync(
        Guid projectId,
        TailFilter filter,
        TailStart start,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        if (Join(projectId, filter, start) is not { } viewer)
        {
            yield break;
        }

        try
        {
            if (start.HasGap)
            {
                yield return TailEvent.Missed(start.From, null);
            }

            var place = start.From;
            for (var block = 0; viewer.Barrier.IsBehind(place); block++)
            {
                if (block == BlocksBack)
                {
                    place = viewer.Barrier;
                    yield return TailEvent.Missed(place, null);
                    break;
                }

                if (await TryReadAsync(projectId, place, viewer.Barrier, cancellationToken) is not { } rows)
                {
                    yield break; // who comes again goes on from there
                }

                place = rows.Count < TailReads.Block ? viewer.Barrier : rows[^1].Place;
                foreach (var (at, job) in rows.Select(row => (row.Place, Job: row.ToJob())))
                {
                    if (filter.Fits(job))
                    {
                        yield return TailEvent.Of(at, job);
                    }
                }
            }

            await foreach (var told in viewer.Waiting.ReadAllAsync(cancellationToken))
            {
                yield return told;
            }
        }
        finally
        {
            Leave(projectId, viewer);
        }
    }

    public void Dispose() => _onStopping.Dispose();

    private async Task<IReadOnlyList<TailRow>?> TryReadAsync(
        Guid projectId,
        TailPlace after,
        TailPlace until,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await _reads.ReadAsync(projectId, after, until, cancellationToken);
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            return null;
        }
    }

    private TailViewer? Join(Guid projectId, TailFilter filter, TailStart start)
    {
        lock (_lock)
        {
            if (_stopping.IsCancellationRequested || IsFull(projectId))
            {
                return null;
            }

            if (!_watched.TryGetValue(projectId, out var project))
            {
                _watched[projectId] = project = new TailedProject(projectId, start.Settled);
            }

            var viewer = new TailViewer(filter, start, project.Place, _clock);
            project.Viewers.Add(viewer);
            _rounds.Enter();
            return viewer;
        }
    }

    private void Leave(Guid projectId, TailViewer viewer)
    {
        _rounds.Leave();
        lock (_lock)
        {
            if (_watched.TryGetValue(projectId, out var project))
            {
                project.Viewers.Remove(viewer);
                if (project.Viewers.Count == 0)
                {
                    _watched.Remove(projectId);
                }
            }
        }
    }

    private void EndAll()
    {
        lock (_lock)
        {
            foreach (var viewer in _watched.Values.SelectMany(project => project.Viewers))
            {
                viewer.End();
            }
        }
    }

    private async Task RoundAsync()
    {
        var round = _clock.GetTimestamp();
        try
        {
            if (Watched() is { Count: > 0 } projects)
            {
                await LookAsync(projects);
            }
        }
        catch
        {
            EndAll(); // who comes again goes on where it was
            throw;
        }

        if (Round - _clock.GetElapsedTime(round) is { Ticks: > 0 } rest)
        {
            await Task.Delay(rest, _clock);
        }
    }

    private List<TailedProject> Watched()
    {
        lock (_lock)
        {
            return _stopping.IsCancellationRequested ? [] : [.. _watched.Values];
        }
    }

    private async Task LookAsync(List<TailedProject> projects)
    {
        TailMoment? moment = null;
        try
        {
            moment = await _reads.SettleAsync(CancellationToken.None);
            foreach (var some in projects.Chunk(ProjectsAtOnce))
            {
                await LookAsync(some, moment);
            }
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            // the next round asks again
        }

        lock (_lock)
        {
            projects.ForEach(project => project.Breathe(moment));
        }
    }

    private async Task LookAsync(TailedProject[] projects, TailMoment moment)
    {
        for (var block = 0; projects.Length > 0; block++)
        {
            if (block == BlocksARound)
            {
                lock (_lock)
                {
                    Array.ForEach(projects, project => project.PassOver(moment));
                }

                return;
            }

            projects = await TellAsync(projects, moment);
        }
    }

    /// <summary>Answers those of which more has ended than was read.</summary>
    private async Task<TailedProject[]> TellAsync(TailedProject[] projects, TailMoment moment)
    {
        // only the rounds move a place
        var places = Array.ConvertAll(projects, project => (project.Id, project.Place));
        var (started, ended) = await _reads.LookAsync(places, moment, CancellationToken.None);
        lock (_lock)
        {
            return
            [
                .. projects.Where((project, index) => project.Tell(started[index + 1], [.. ended[index + 1]], moment)),
            ];
        }
    }
}
