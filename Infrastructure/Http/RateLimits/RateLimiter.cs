using System.Collections.Concurrent;
using Bellhop.Infrastructure.Configuration;

namespace Bellhop.Infrastructure.Http.RateLimits;

/// <summary>One limit, counted for each subject by itself: a bucket that holds as many requests as are allowed and refills evenly.</summary>
/// <remarks>
/// <para>The generic cell rate algorithm (ITU-T I.371) keeps one number a subject, the time at which its bucket is full again, and
/// changes it by compare-and-swap: nothing waits. What is refused costs nothing.</para>
/// <para>In memory, for this process. Full buckets are forgotten; past <see cref="Capacity"/> subjects at a time, those who come
/// new share a few thousand buckets, so that a flood from many addresses takes no memory and lets nobody through who would not be.</para>
/// </remarks>
public sealed class RateLimiter
{
    /// <summary>Subjects that are told apart at any time.</summary>
    public const int Capacity = 100_000;

    private const int CrowdSize = 4096;
    private const int LeastSweep = 1024;

    private readonly TimeProvider _clock;
    private readonly long _interval; // between two requests at the steady rate, in ticks of the clock
    private readonly long _burst;

    // by whoever asks: entries come with the first request of a subject, and go when their bucket is full
    private readonly ConcurrentDictionary<UInt128, Bucket> _buckets = new();
    private readonly Bucket[] _crowd = [.. Enumerable.Range(0, CrowdSize).Select(_ => new Bucket())];
    private readonly Lock _sweeping = new();
    private int _count; // of _buckets, whose own Count takes all its locks
    private int _sweepAt = LeastSweep; // written under _sweeping
    private long _nextSweep; // written under _sweeping

    public RateLimiter(string scope, string bucket, RateLimit limit, bool isTold, TimeProvider clock)
    {
        (Scope, Kind, Limit, IsTold, _clock) = (scope, bucket, limit, isTold, clock);
        _interval = Math.Max(1, limit.Seconds * clock.TimestampFrequency / limit.Requests);
        _burst = _interval * limit.Requests;
        Policy = $"\"{scope}-{bucket}\";q={limit.Requests};w={limit.Seconds}";
    }

    /// <summary>What subjects are: <c>key</c>, <c>address</c>, <c>project</c>, <c>source</c>.</summary>
    public string Scope { get; }

    /// <summary>What requests count as: <c>reads</c>, <c>writes</c>, <c>bulk</c>, <c>auth</c>, <c>inbound</c>.</summary>
    public string Kind { get; }

    public RateLimit Limit { get; }

    /// <summary>The item of <c>RateLimit-Policy</c>.</summary>
    internal string Policy { get; }

    /// <summary>Whether answers tell of it.</summary>
    internal bool IsTold { get; }

    /// <summary>Subjects that are told apart right now.</summary>
    internal int Count => Volatile.Read(ref _count);

    /// <summary>Takes one request out of the subject's bucket, if one is left.</summary>
    public RateVerdict Take(UInt128 subject)
    {
        var now = _clock.GetTimestamp();
        var bucket = Find(subject, now);
        while (true)
        {
            var full = Volatile.Read(ref bucket.FullAt);
            var next = Math.Max(full, now) + _interval;
            if (next - now > _burst)
            {
                return new RateVerdict(this, false, 0, Seconds(full - now), Seconds(next - now - _burst));
            }

            if (Interlocked.CompareExchange(ref bucket.FullAt, next, full) == full)
            {
                return new RateVerdict(this, true, (int)((_burst - (next - now)) / _interval), Seconds(next - now), 0);
            }
        }
    }

    /// <summary>Whether the next <see cref="Take"/> would be refused; as many as ask at once may hear no.</summary>
    public bool IsExhausted(UInt128 subject)
    {
        var now = _clock.GetTimestamp();
        return _buckets.TryGetValue(subject, out var bucket)
            && Math.Max(Volatile.Read(ref bucket.FullAt), now) + _interval - now > _burst;
    }

    private Bucket Find(UInt128 subject, long now)
    {
        if (_buckets.TryGetValue(subject, out var bucket))
        {
            return bucket;
        }

        if (Count >= Volatile.Read(ref _sweepAt))
        {
            Sweep(now);
        }

        if (Count >= Capacity)
        {
            return _crowd[(uint)subject.GetHashCode() % CrowdSize];
        }

        var fresh = new Bucket();
        if (_buckets.TryAdd(subject, fresh))
        {
            Interlocked.Increment(ref _count);
            return fresh;
        }

        return _buckets.GetValueOrDefault(subject, fresh);
    }

    /// <summary>Forgets full buckets. One that is taken from meanwhile may give that request away; no more.</summary>
    private void Sweep(long now)
    {
        if (!_sweeping.TryEnter())
        {
            return;
        }

        try
        {
            if (now < _nextSweep)
            {
                return;
            }

            foreach (var entry in _buckets)
            {
                if (Volatile.Read(ref entry.Value.FullAt) <= now && _buckets.TryRemove(entry))
                {
                    Interlocked.Decrement(ref _count);
                }
            }

            _sweepAt = Math.Clamp(Count * 2, LeastSweep, Capacity);
            _nextSweep = now + _clock.TimestampFrequency;
        }
        finally
        {
            _sweeping.Exit();
        }
    }

    private int Seconds(long ticks) => (int)((ticks + _clock.TimestampFrequency - 1) / _clock.TimestampFrequency);

    private sealed class Bucket
    {
        // a timestamp; the bucket is full from then on
        public long FullAt;
    }
}
