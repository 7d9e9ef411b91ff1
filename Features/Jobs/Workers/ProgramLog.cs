using System.Net;
using Bellhop.Features.Jobs.Logs;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Sends what a job's program writes to its standard error to the job's log, line by line, while it runs.</summary>
/// <remarks>
/// Each second; the last lines go with the end. A line is stored once, however often it is sent. What waits is bounded: where lines come
/// faster than the service takes them, or it is away, some are left out, and a line says how many. It is over when the lease is another's.
/// </remarks>
internal sealed class ProgramLog(WorkerClient client, Guid id, string lease, TimeProvider clock, Action<string> tell)
{
    private const int MaxCharacters = 128 * 1024;
    private const int MaxCharactersAtOnce = 64 * 1024;
    private const int MaxLines = 2_000;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();

    // under the lock: added to by who reads the program's output, taken from by the one who sends
    private readonly LinkedList<LogLineDocument> _lines = new();
    private int _fromSeq = 1;
    private int _characters;
    private int _leftOut;
    private bool _isOver;

    public void Add(string text)
    {
        lock (_lock)
        {
            if (_isOver)
            {
                return;
            }

            if (_characters + text.Length > MaxCharacters || _lines.Count >= MaxLines)
            {
                _leftOut++;
                return;
            }

            Mark();
            Append(WrittenLines.Fit(text));
        }
    }

    /// <summary>Sends what there is, each second until it is cancelled.</summary>
    public async Task SendAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var timer = new PeriodicTimer(Interval, clock);
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                while (Next() is { } next && await SendAsync(next, cancellationToken))
                {
                    // and the next ones at once
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // what was not answered is sent again
        }
    }

    /// <summary>The last lines, to be told with the end; those before them are sent now.</summary>
    public async Task<EndLog?> EndAsync()
    {
        using var patience = new CancellationTokenSource(Patience, clock);
        try
        {
            while (Next() is { } next && !IsAll(next) && await SendAsync(next, patience.Token))
            {
                // until they fit
            }
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            // the end is not kept waiting for them
        }

        return Last();
    }

    private async Task<bool> SendAsync(EndLog next, CancellationToken cancellationToken)
    {
        var said = await client.LogAsync(id, new LogDocument(lease, next.FromSeq, next.Lines), cancellationToken);
        if (said.Answer is { } answer)
        {
            Sent(answer.NextSeq);
            return true;
        }

        tell($"logs: {said.Fault!.Detail}");
        if (said.IsRefusal || said.Status == HttpStatusCode.Conflict)
        {
            GiveUp();
        }

        return false;
    }

    /// <summary>The first lines that wait, and wait on until they are <see cref="Sent"/>; null: there are none.</summary>
    private EndLog? Next()
    {
        lock (_lock)
        {
            Mark();
            var characters = 0;
            var lines = _lines
                .Take(LogDocument.MaxLines)
                .TakeWhile(line => (characters += line.Text!.Length) <= MaxCharactersAtOnce)
                .ToArray();
            return lines.Length == 0 ? null : new EndLog(_fromSeq, lines);
        }
    }

    private EndLog? Last()
    {
        var last = Next();
        lock (_lock)
        {
            return last is null || IsAll(last)
                ? last
                : last with
                {
                    Lines = [.. last.Lines!.SkipLast(1), MarkOf(_lines.Count - last.Lines!.Count + 1)],
                };
        }
    }

    private bool IsAll(EndLog log)
    {
        lock (_lock)
        {
            return log.Lines!.Count == _lines.Count;
        }
    }

    private void Sent(int next)
    {
        lock (_lock)
        {
            for (; _fromSeq < next && _lines.First is { } first; _fromSeq++)
            {
                _characters -= first.Value.Text!.Length;
                _lines.RemoveFirst();
            }
        }
    }

    private void GiveUp()
    {
        lock (_lock)
        {
            _isOver = true;
            _lines.Clear();
            _leftOut = 0;
        }
    }

    private void Mark()
    {
        if (_leftOut > 0)
        {
            Append(MarkOf(_leftOut));
            _leftOut = 0;
        }
    }

    private void Append(string text) => Append(LineOf(text));

    private void Append(LogLineDocument line)
    {
        _lines.AddLast(line);
        _characters += line.Text!.Length;
    }

    private LogLineDocument MarkOf(int count) => LineOf(StoredLine.LeftOut(count));

    private LogLineDocument LineOf(string text) => new(text, JobLogLevel.Warning.Word(), clock.GetUtcNow().UtcDateTime);
}
