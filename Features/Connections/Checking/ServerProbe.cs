using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections.Checking;

/// <summary>The first steps of every check: to the server, before anything is said to it.</summary>
internal sealed class ServerProbe(Dialer dialer)
{
    /// <summary>Null: it failed, and that is taken down.</summary>
    public async Task<CheckedHost?> ResolveAsync(
        CheckSteps steps,
        Protocol protocol,
        string host,
        int port,
        CancellationToken cancellationToken
    )
    {
        var check = await dialer.CheckAsync(protocol, host, port, cancellationToken);
        if (check.Host is not { } found)
        {
            steps.Fail(Reasons.Of(check.ErrorCode!));
            return null;
        }

        steps.Reached(StepName.Resolve, $"{host} is {string.Join(", ", found.Addresses)}.");
        return found;
    }

    /// <summary>Resolves, connects, and where it is https shakes hands; the connection is closed again.</summary>
    /// <returns>Whether all went well.</returns>
    public async Task<bool> ReachAsync(CheckSteps steps, Uri url, CancellationToken cancellationToken)
    {
        var host = url.IdnHost;
        if (await ResolveAsync(steps, Protocol.Of(url), host, url.Port, cancellationToken) is not { } found)
        {
            return false;
        }

        var dialed = await dialer.ConnectAsync(found, cancellationToken);
        if (dialed.Socket is not { } socket)
        {
            steps.Fail(Reasons.Of(dialed.ErrorCode!));
            return false;
        }

        await using var stream = new NetworkStream(socket, ownsSocket: true);
        steps.Reached(StepName.Connect, $"Port {url.Port} accepts connections.");
        if (url.Scheme == Uri.UriSchemeHttps)
        {
            await ShakeHandsAsync(steps, stream, host, cancellationToken);
        }

        return !steps.HasFailed;
    }

    /// <summary>The steps of <see cref="ReachAsync"/>.</summary>
    public static IEnumerable<string> StepsTo(string url) =>
        new Uri(url).Scheme == Uri.UriSchemeHttps
            ? [StepName.Resolve, StepName.Connect, StepName.Tls]
            : [StepName.Resolve, StepName.Connect];

    private static async Task ShakeHandsAsync(
        CheckSteps steps,
        NetworkStream stream,
        string host,
        CancellationToken cancellationToken
    )
    {
        await using var tls = new SslStream(stream);
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = host,
            CertificateChainPolicy = PeerTrust.NewPolicy(),
            RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
                steps.Accepts(host, certificate, chain, errors),
        };
        try
        {
            await tls.AuthenticateAsClientAsync(options, cancellationToken);
        }
        catch (Exception exception) when (exception is AuthenticationException or IOException)
        {
            steps.Fail(Reasons.Of(OutgoingErrors.TlsFailed));
        }
    }
}
