using Bellhop.Features.Connections.Checking;
using Bellhop.Infrastructure.Outgoing;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;

namespace Bellhop.Features.Connections;

/// <summary>Opens a session with a mail server: to a checked address, while TLS keeps the name.</summary>
internal static class SmtpSession
{
    public static async Task<SmtpClient> OpenAsync(
        Dialer dialer,
        SmtpConfig config,
        SessionWatch watch,
        CancellationToken cancellationToken
    )
    {
        var check = await dialer.CheckAsync(Protocol.Smtp, config.Host, config.PortOrUsual, cancellationToken);
        if (check.Host is not { } host)
        {
            throw new DialException(check.ErrorCode!);
        }

        return await OpenAsync(dialer, host, config, watch, cancellationToken);
    }

    public static async Task<SmtpClient> OpenAsync(
        Dialer dialer,
        CheckedHost host,
        SmtpConfig config,
        SessionWatch watch,
        CancellationToken cancellationToken
    )
    {
        if (config.Tls == SmtpConfig.Off && !host.AllowsPlainText)
        {
            throw new DialException(ConnectionErrors.PlainText);
        }

        var dialed = await dialer.ConnectAsync(host, cancellationToken);
        var socket = dialed.Socket ?? throw new DialException(dialed.ErrorCode!);
        watch.Reached(StepName.Connect, $"Port {host.Port} accepts connections.");
        var client = new SmtpClient(new Greeting(watch))
        {
            CheckCertificateRevocation = false, // it would be asked for over the network
            ServerCertificateValidationCallback = (_, certificate, chain, errors) =>
                watch.Accepts(host.Name, certificate, chain, errors),
        };
        try
        {
            using var refusal = PeerTrust.RefuseDownloads();
            await client.ConnectAsync(socket, host.Name, host.Port, Options(config), cancellationToken);
            return client;
        }
        catch
        {
            socket.Dispose();
            client.Dispose();
            throw;
        }
    }

    public static async Task LoginAsync(
        SmtpClient client,
        SmtpConfig config,
        string? secret,
        CancellationToken cancellationToken
    )
    {
        if (config.User is null)
        {
            return;
        }

        // they would speak to servers of their own
        client.AuthenticationMechanisms.Remove("GSSAPI");
        client.AuthenticationMechanisms.Remove("NTLM");
        await client.AuthenticateAsync(
            config.User,
            secret ?? throw new DialException(ConnectionErrors.SecretMissing),
            cancellationToken
        );
    }

    private static SecureSocketOptions Options(SmtpConfig config) =>
        config.Tls switch
        {
            SmtpConfig.Implicit => SecureSocketOptions.SslOnConnect,
            SmtpConfig.Off => SecureSocketOptions.None,
            _ => SecureSocketOptions.StartTls,
        };

    /// <summary>Notices the server's first line, and nothing of what is said.</summary>
    private sealed class Greeting(SessionWatch watch) : IProtocolLogger
    {
        private bool _isGreeted;

        public IAuthenticationSecretDetector? AuthenticationSecretDetector { get; set; }

        public void LogServer(byte[] buffer, int offset, int count)
        {
            if (!_isGreeted)
            {
                _isGreeted = true;
                watch.Reached(StepName.Greeting, "A mail server answers.");
            }
        }

        public void LogConnect(Uri uri)
        {
            // it is known
        }

        public void LogClient(byte[] buffer, int offset, int count)
        {
            // it may hold the password
        }

        public void Dispose()
        {
            // it holds nothing
        }
    }
}
