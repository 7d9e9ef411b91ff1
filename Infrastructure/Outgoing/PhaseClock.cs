namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Where the time of a request went, in seconds. Those of a connection are null where one was there already.</summary>
/// <param name="DnsSeconds">Resolving the name and checking its addresses.</param>
/// <param name="ConnectSeconds">From there until a socket was connected.</param>
/// <param name="TlsSeconds">The TLS handshake; null also without TLS.</param>
/// <param name="FirstByteSeconds">From the connection, or the start where one was there, until the response's headers had arrived.</param>
/// <param name="TotalSeconds">From the call to its end, the body included.</param>
public sealed record OutgoingPhases(
    double? DnsSeconds,
    double? ConnectSeconds,
    double? TlsSeconds,
    double? FirstByteSeconds,
    double TotalSeconds
);

/// <summary>Takes the times of one request; rides on its message to where connections are made.</summary>
/// <remarks>
/// The connection a request asked for is made by another task, and the request may be served by an older one meanwhile: what is
/// not marked when the headers arrive stays null.
/// </remarks>
internal sealed class PhaseClock(TimeProvider clock)
{
    private static readonly HttpRequestOptionsKey<PhaseClock> Key = new("bellhop.phases");

    private readonly long _started = clock.GetTimestamp();

    // each written once, by the task that connects, and read by the one that sends
    private long _dialing;
    private long _resolved;
    private long _connected;
    private long _secured;
    private OutgoingPhases? _untilHeaders;

    public static PhaseClock? Of(HttpRequestMessage message) =>
        message.Options.TryGetValue(Key, out var phases) ? phases : null;

    public void RideOn(HttpRequestMessage message) => message.Options.Set(Key, this);

    public void Dialing() => Volatile.Write(ref _dialing, clock.GetTimestamp());

    public void Resolved() => Volatile.Write(ref _resolved, clock.GetTimestamp());

    public void Connected() => Volatile.Write(ref _connected, clock.GetTimestamp());

    public void Secured() => Volatile.Write(ref _secured, clock.GetTimestamp());

    /// <summary>To be called once the headers have arrived.</summary>
    public void FirstByte()
    {
        var connected = Math.Max(Volatile.Read(ref _connected), Volatile.Read(ref _secured));
        _untilHeaders = Measure(Seconds(connected == 0 ? _started : connected, clock.GetTimestamp()));
    }

    /// <summary>What was measured until now.</summary>
    public OutgoingPhases Stop() =>
        (_untilHeaders ?? Measure(null)) with
        {
            TotalSeconds = clock.GetElapsedTime(_started).TotalSeconds,
        };

    private OutgoingPhases Measure(double? firstByte) =>
        new(
            Seconds(Volatile.Read(ref _dialing), Volatile.Read(ref _resolved)),
            Seconds(Volatile.Read(ref _resolved), Volatile.Read(ref _connected)),
            Seconds(Volatile.Read(ref _connected), Volatile.Read(ref _secured)),
            firstByte,
            0
        );

    private double? Seconds(long from, long to) =>
        from == 0 || to == 0 ? null : clock.GetElapsedTime(from, to).TotalSeconds;
}
