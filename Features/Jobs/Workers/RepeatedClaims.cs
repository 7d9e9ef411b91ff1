using System.Collections.Concurrent;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>
/// Claims that came again with their key: what the first call was given is the second one's, also when the first is seen to be cut later.
/// </summary>
/// <remarks>It knows what this process answered. A call that is repeated at another one may lose its leases, which the worker is told.</remarks>
internal sealed class RepeatedClaims(TimeProvider clock) : IDisposable
{
    private const int Capacity = 1_000;
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(2);

    // by the key: the answer to a call and the giving back of another's take turns
    private readonly SemaphoreSlim[] _locks = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1))];

    // each entry is touched under the lock of its key
    private readonly ConcurrentDictionary<Guid, Repeats> _repeats = new();

    public async Task<T> InTurnAsync<T>(Guid key, Func<Task<T>> action)
    {
        var turn = _locks[(uint)key.GetHashCode() % (uint)_locks.Length];
        await turn.WaitAsync();
        try
        {
            return await action();
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>A call is given what another with its key was given before. To be called in turn.</summary>
    public void Repeat(Guid key)
    {
        var repeats = _repeats.GetOrAdd(key, _ => new Repeats());
        repeats.Open++;
        repeats.At = clock.GetTimestamp();
        foreach (var (old, other) in _repeats.Count > Capacity ? _repeats.ToArray() : [])
        {
            if (clock.GetElapsedTime(other.At) > Lifetime)
            {
                _repeats.TryRemove(old, out _);
            }
        }
    }

    /// <summary>A call was cut before it had its answer: whether nobody else has it. To be called in turn.</summary>
    public bool Cut(Guid key, bool isRepeat)
    {
        if (!_repeats.TryGetValue(key, out var repeats))
        {
            return !isRepeat;
        }

        repeats.Open -= isRepeat ? 1 : 0;
        repeats.IsFirstCut |= !isRepeat;
        return repeats is { Open: <= 0, IsFirstCut: true };
    }

    public void Dispose() => Array.ForEach(_locks, turn => turn.Dispose());

    private sealed class Repeats
    {
        /// <summary>Repetitions that were answered, as far as is known.</summary>
        public int Open { get; set; }

        public bool IsFirstCut { get; set; }

        public long At { get; set; }
    }
}
