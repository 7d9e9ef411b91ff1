using System.Collections.Concurrent;
using System.Text;

namespace Bellhop.Tests.Crash;

/// <summary>What a client meant to do and what it was answered, on disk before it goes on.</summary>
/// <remarks>A call is intended, then acknowledged, refused, or unknown when no answer came. Each line is flushed to disk.</remarks>
public sealed class Ledger : IDisposable
{
    private readonly FileStream _file;
    private readonly Lock _writing = new();

    public Ledger(string path) => _file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);

    /// <summary>The sender's id of each acknowledged call, and the service's id of it.</summary>
    public ConcurrentDictionary<string, Guid> Acknowledged { get; } = new(StringComparer.Ordinal);

    public int Unknown { get; private set; }

    public void Intend(string id) => Write($"intent {id}");

    public void Acknowledge(string id, Guid answer)
    {
        Write($"ack {id} {answer}");
        if (!Acknowledged.TryAdd(id, answer) && Acknowledged[id] != answer)
        {
            throw new InvalidOperationException($"{id} was acknowledged as {Acknowledged[id]} and as {answer}.");
        }
    }

    public void NoAnswer(string id)
    {
        Unknown++;
        Write($"unknown {id}");
    }

    public void Dispose() => _file.Dispose();

    private void Write(string line)
    {
        lock (_writing)
        {
            _file.Write(Encoding.UTF8.GetBytes(line + "\n"));
            _file.Flush();
        }
    }
}
