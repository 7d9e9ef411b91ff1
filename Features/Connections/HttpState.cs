using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections;

/// <summary>What one HTTP connection carries from request to request in this process: its token, and how fast it may go.</summary>
internal sealed class HttpState(OutgoingClient client, TimeProvider clock)
{
    private long _fullAt; // by whoever asks, compared and swapped

    public AccessTokens Tokens { get; } = new(client, clock);

    /// <summary>Takes one request out of the bucket (GCRA, ITU-T I.371); else says how long until there is one.</summary>
    public bool TryTake(RateLimit limit, out TimeSpan wait)
    {
        var interval = Math.Max(1, limit.Seconds * clock.TimestampFrequency / limit.Requests);
        var burst = interval * limit.Requests;
        while (true)
        {
            var now = clock.GetTimestamp();
            var full = Volatile.Read(ref _fullAt);
            // one that was full later than a bucket can be was of a slower rate, before a change
            var next = Math.Min(Math.Max(full, now), now + burst) + interval;
            if (next - now > burst)
            {
                wait = clock.GetElapsedTime(0, next - now - burst);
                return false;
            }

            if (Interlocked.CompareExchange(ref _fullAt, next, full) == full)
            {
                wait = TimeSpan.Zero;
                return true;
            }
        }
    }
}
