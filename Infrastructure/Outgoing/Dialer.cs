using System.Net;
using System.Net.Sockets;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Makes the connections of <see cref="OutgoingClient"/>, to checked addresses only.</summary>
/// <remarks>
/// The name is resolved here, once, every address is checked, and the socket connects to a checked address itself: a
/// resolver that answers differently the next time is never asked a next time.
/// </remarks>
internal sealed class Dialer(AddressPolicy policy, TimeProvider clock)
{
    // A dead first address must leave time for the next within the connection's 10 seconds.
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(3);

    public async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context,
        CancellationToken cancellationToken
    )
    {
        var target = context.DnsEndPoint;
        var addresses = await ResolveAsync(target.Host, cancellationToken);
        if (!policy.Permits(context.InitialRequestMessage.RequestUri!.Scheme, target.Port, addresses))
        {
            throw new DialException(OutgoingErrors.AddressNotAllowed);
        }

        return await ConnectAnyAsync(addresses, target.Port, cancellationToken);
    }

    /// <summary>Connects to the first of the addresses that answers, in their order.</summary>
    internal async Task<Stream> ConnectAnyAsync(IPAddress[] addresses, int port, CancellationToken cancellationToken)
    {
        Exception? last = null;
        for (var i = 0; i < addresses.Length; i++)
        {
            var limit = i == addresses.Length - 1 ? Timeout.InfiniteTimeSpan : AttemptTimeout;
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
                // The token is the handler's, which cancels when the time for connecting is over.
                if (cancellationToken.IsCancellationRequested)
                {
                    throw new DialException(OutgoingErrors.ConnectTimeout, exception);
                }

                last = exception;
            }
        }

        throw new DialException(OutgoingErrors.ConnectFailed, last);
    }

    private static async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var literal))
        {
            return [literal];
        }

        try
        {
            // The system's resolver does not stop when it is told to; the wait for it does.
            var addresses = await Dns.GetHostAddressesAsync(host, cancellationToken).WaitAsync(cancellationToken);
            return addresses.Length > 0 ? addresses : throw new DialException(OutgoingErrors.DnsFailed);
        }
        catch (Exception exception) when (exception is SocketException or ArgumentException)
        {
            throw new DialException(OutgoingErrors.DnsFailed, exception);
        }
    }

    private async Task<Stream> ConnectAsync(IPEndPoint endPoint, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var attempt = new CancellationTokenSource(limit, clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, attempt.Token);
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(endPoint, linked.Token);
            return new NetworkStream(socket, ownsSocket: true);
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
