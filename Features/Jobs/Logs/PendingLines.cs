namespace Bellhop.Features.Jobs.Logs;

/// <summary>Lines of one execution in this process that are not stored yet.</summary>
internal sealed class PendingLines(ClaimedJob job)
{
    private const int MaxCharacters = 128 * 1024;
    private const int MaxLines = 2_000;

    private readonly Lock _lock = new();

    // under the lock: added to by the handler, taken from by the writer
    private readonly LinkedList<WrittenLine> _lines = new();
    private int _fromNumber = 1;
    private int _characters;
    private int _leftOut;
    private DateTime _leftOutAt;

    /// <summary>Whether so much waits that it is not to wait any longer.</summary>
    public bool IsHalfFull
    {
        get
        {
            lock (_lock)
            {
                return _characters > MaxCharacters / 2 || _lines.Count > MaxLines / 2;
            }
        }
    }

    public bool IsEmpty
    {
        get
        {
            lock (_lock)
            {
                return _lines.Count == 0 && _leftOut == 0;
            }
        }
    }

    public void Add(WrittenLine line)
    {
        lock (_lock)
        {
            if (_characters + line.Text.Length > MaxCharacters || _lines.Count >= MaxLines)
            {
                (_leftOut, _leftOutAt) = (_leftOut + 1, line.At);
                return;
            }

            Mark();
            _lines.AddLast(line);
            _characters += line.Text.Length;
        }
    }

    /// <summary>The first lines that wait; they wait on until they are <see cref="Stored"/>.</summary>
    public WrittenLines Look(int maxLines)
    {
        lock (_lock)
        {
            Mark();
            return new WrittenLines(job.ProjectId, job.Id, job.ClaimNo, null, _fromNumber, [.. _lines.Take(maxLines)]);
        }
    }

    /// <param name="next">The number of the first line that is not stored; null: none ever will be.</param>
    public void Stored(int? next)
    {
        lock (_lock)
        {
            while (_lines.First is { } first && (next is null || _fromNumber < next))
            {
                _characters -= first.Value.Text.Length;
                _fromNumber++;
                _lines.RemoveFirst();
            }

            _leftOut = next is null ? 0 : _leftOut;
        }
    }

    private void Mark()
    {
        if (_leftOut > 0)
        {
            _lines.AddLast(new WrittenLine(_leftOutAt, JobLogLevel.LeftOut, StoredLine.LeftOut(_leftOut)));
            _characters += _lines.Last!.Value.Text.Length;
            _leftOut = 0;
        }
    }
}
