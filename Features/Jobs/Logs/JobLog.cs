namespace Bellhop.Features.Jobs.Logs;

/// <summary>The log of the job whose handler this is given to: what is written to it is shown while the job runs, and kept with it.</summary>
/// <remarks>
/// Lines are stored within a quarter of a second, and all of them before the end is; where the database is away for longer than five
/// seconds they may be lost with it. What waits to be stored is bounded: beyond that lines are left out, and a mark says how many.
/// Whoever may read the data of jobs reads these lines: a secret is masked before it is written. Where no job is executed, as on the
/// command line, nothing is kept. May be written to from any thread.
/// </remarks>
public sealed class JobLog(JobLogWriter writer, TimeProvider clock)
{
    private ClaimedJob? _job;

    // most executions write nothing
    private PendingLines? _lines;

    /// <param name="text">Cut to 8 KiB.</param>
    public void Write(JobLogLevel level, string text)
    {
        if (_job is { } job)
        {
            var lines = LazyInitializer.EnsureInitialized(ref _lines, () => new PendingLines(job));
            writer.Add(lines, new WrittenLine(clock.GetUtcNow().UtcDateTime, level, WrittenLines.Fit(text)));
        }
    }

    /// <summary>From here on lines are those of this execution.</summary>
    internal void Begin(ClaimedJob job) => _job = job;

    /// <summary>Over when the lines are stored, or can no longer be.</summary>
    internal Task EndAsync() => _lines is { } lines ? writer.EndAsync(lines) : Task.CompletedTask;
}
