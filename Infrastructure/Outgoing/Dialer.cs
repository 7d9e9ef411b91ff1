using System.Net;
using System.Net.Sockets;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Makes every connection that leaves this service, to checked addresses only.</summary>
/// <remarks>
/// A name is resolved here, once, every address is checked, and the socket connects to a checked address itself: a resolver that
/// answers differently the next time is never asked a next time. Drivers that connect by themselves are given a checked address,
/// and the name for their certificate's sake.
/// </remarks>
public sealed class Dialer
{
    // A dead first address must leave time for the next within the connection's 10 seconds.
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(3);

    private readonly AddressPolicy _policy;
    private readonly TimeProvider _clock;
    private readonly Resolver _resolve;
    private readonly OwnServers _own;

    public Dialer(AddressPolicy policy, TimeProvider clock)
        : this(policy, clock, Dns.GetHostAddressesAsync) { }

    internal Dialer(AddressPolicy policy, TimeProvider clock, Resolver resolve) =>
        (_policy, _clock, _resolve, _own) = (policy, clock, resolve, new OwnServers(policy.OwnHosts, resolve, clock));

    /// <summary>The most time that connecting takes, however many addresses there are.</summary>
    public static TimeSpan ConnectTimeout { get; } = TimeSpan.FromSeconds(10);

    /// <summary>Resolves a host and says whether this protocol may be spoken to it on this port.</summary>
    public async Task<HostCheck> CheckAsync(
        Protocol protocol,
        string host,
        int port,
        CancellationToken cancellationToken
    )
    {
        IPAddress[] addresses;
        try
        {
            addresses = await ResolveAsync(host, cancellationToken);
        }
        catch (Exception exception) when (exception is SocketException or ArgumentException)
        {
            return new HostCheck(null, OutgoingErrors.DnsFailed);
        }

        var isOperators = _policy.IsOperators(addresses);
        var permitted =
            _policy.Permits(protocol, port, addresses)
            && (isOperators || !await _own.AnyAsync(addresses, cancellationToken));
        return permitted
            ? new HostCheck(new CheckedHost(host, port, addresses, isOperators), null)
            : new HostCheck(null, addresses.Length == 0 ? OutgoingErrors.DnsFailed : OutgoingErrors.AddressNotAllowed);
    }

    /// <summary>Connects to the first of the host's addresses that answers.</summary>
    public async Task<Dialed> ConnectAsync(CheckedHost host, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ConnectTimeout, _clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return new Dialed(await ConnectAnyAsync(host.Addresses, host.Port, linked.Token), null);
        }
        catch (DialException exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return new Dialed(null, exception.Code);
        }
    }

    /// <summary>The way of HTTP, which has its own limit of time and tells its reasons by exceptions.</summary>
    internal async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context,
        CancellationToken cancellationToken
    )
    {
        var phases = PhaseClock.Of(context.InitialRequestMessage);
        phases?.Dialing();
        var target = context.DnsEndPoint;
        var protocol = Protocol.Of(context.InitialRequestMessage.RequestUri!);
        var (host, error) = await CheckAsync(protocol, target.Host, target.Port, cancellationToken);
        if (host is null)
        {
            throw new DialException(error!);
        }

        phases?.Resolved();
        var socket = await ConnectAnyAsync(host.Addresses, host.Port, cancellationToken);
        phases?.Connected();
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>Connects to the first of the addresses that answers, in their order.</summary>
    internal async Task<Socket> ConnectAnyAsync(
        IReadOnlyList<IPAddress> addresses,
        int port,
        CancellationToken cancellationToken
    )
    {
        Exception? last = null;
        for (var i = 0; i < addresses.Count; i++)
        {
            var limit = i == addresses.Count - 1 ? Timeout.InfiniteTimeSpan : AttemptTimeout;
            try
            {
                return await ConnectAsync(new IPEndPoint(addresses[i], port), limit, cancellationToken);
            }
            catch (SocketException exception)
            {
                last = exception;
            }
            catch (OperationCanceledException exception)
            {
                // The token is that of the connection, which cancels when the time for connecting is over.
                if (cancellationToken.IsCancellationRequested)
                {
                    throw new DialException(OutgoingErrors.ConnectTimeout, exception);
                }

                last = exception;
            }
        }

        throw new DialException(OutgoingErrors.ConnectFailed, last);
    }

    private async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) =>
        IPAddress.TryParse(host, out var literal)
            ? [literal]
            // The system's resolver does not stop when it is told to; the wait for it does.
            : await _resolve(host, cancellationToken).WaitAsync(cancellationToken);

    private async Task<Socket> ConnectAsync(IPEndPoint endPoint, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var attempt = new CancellationTokenSource(limit, _clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, attempt.Token);
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(endPoint, linked.Token);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>Carries the reason of a connection that was not made through the HTTP stack to the client.</summary>
internal sealed class DialException(string code, Exception? inner = null) : IOException(code, inner)
{
    public string Code { get; } = code;
}
