using System.Net.Sockets;
using Bellhop.Features.Connections.Checking;
using Bellhop.Infrastructure.Outgoing;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;

namespace Bellhop.Features.Connections;

/// <summary>Hands messages to the mail server of a connection.</summary>
/// <remarks>
/// One deadline of 30 seconds covers everything. What the server or the network does is a value; only the caller's own token makes it
/// throw. Where the connection is lost after the message was sent, it may have been taken: repeat it with the same id.
/// </remarks>
public sealed class MailSender(Dialer dialer, TimeProvider clock)
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    public async Task<MailResult> SendAsync(OpenConnection smtp, Mail mail, CancellationToken cancellationToken)
    {
        if (smtp.Config is not SmtpConfig config)
        {
            throw new ConnectionKindException(smtp, ConnectionKind.Smtp);
        }

        if (mail.Fault() is { } fault)
        {
            return MailResult.Refused(null, fault, isPermanent: true);
        }

        using var deadline = new CancellationTokenSource(Timeout, clock);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        try
        {
            using var session = await SmtpSession.OpenAsync(dialer, config, SessionWatch.None, linked.Token);
            await SmtpSession.LoginAsync(session, config, smtp.Secret, linked.Token);
            await session.SendAsync(Compose(config, mail), linked.Token);
            await LeaveAsync(session, linked.Token);
            return MailResult.Sent;
        }
        catch (Exception exception) when (SmtpFault.Of(exception, smtp.Secret) is { } found)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return MailResult.Refused(found.Code, found.Message, found.IsPermanent);
        }
    }

    // the message is taken: how the parting goes is nobody's concern
    private static async Task LeaveAsync(SmtpClient session, CancellationToken cancellationToken)
    {
        try
        {
            await session.DisconnectAsync(quit: true, cancellationToken);
        }
        catch (Exception exception) when (SmtpFault.Of(exception, null) is not null)
        {
            // as if it had gone well
        }
    }

    private MimeMessage Compose(SmtpConfig config, Mail mail)
    {
        var message = new MimeMessage
        {
            MessageId = mail.MessageId,
            Subject = mail.Subject,
            Date = clock.GetUtcNow(),
            Body = new TextPart("plain") { Text = mail.Text },
        };
        message.From.Add(Mail.ParseAddress(config.From)!);
        message.To.AddRange(mail.To.Select(address => Mail.ParseAddress(address)!));
        message.Headers.Add("Auto-Submitted", "auto-generated"); // or vacation programs answer it (RFC 3834)
        return message;
    }
}

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

/// <summary>Why a mail server could not be used, from what the library throws.</summary>
internal sealed record SmtpFault(int? Code, string Message, bool IsPermanent)
{
    /// <summary>Null: it is none of these, but a bug.</summary>
    public static SmtpFault? Of(Exception exception, string? secret) =>
        exception switch
        {
            DialException dial => new SmtpFault(null, Reasons.Of(dial.Code), IsPermanent: false),
            SmtpCommandException command => new SmtpFault(
                (int)command.StatusCode,
                $"{(int)command.StatusCode} {Redaction.Of(command.Message, secret)}",
                (int)command.StatusCode >= 500
            ),
            AuthenticationException { InnerException: SmtpCommandException command } => Of(command, secret),
            AuthenticationException login => new SmtpFault(
                535,
                $"The login was refused: {Redaction.Of(login.Message, secret)}",
                true
            ),
            SslHandshakeException => new SmtpFault(null, Reasons.Of(OutgoingErrors.TlsFailed), false),
            // STARTTLS, AUTH or SMTPUTF8 is not among what the server says it can
            NotSupportedException lack => new SmtpFault(null, lack.Message, true),
            OperationCanceledException => new SmtpFault(null, Reasons.Of(OutgoingErrors.Timeout), false),
            SmtpProtocolException or ServiceNotConnectedException or IOException or SocketException => new SmtpFault(
                null,
                Reasons.Of(OutgoingErrors.ConnectionLost),
                false
            ),
            _ => null,
        };
}

/// <summary>Makes what others say fit to be shown. Our own words are not looked through: a gap in them would tell the secret.</summary>
internal static class Redaction
{
    private const int MaxForeign = 400;

    /// <summary>One line, without the secret, of 400 characters at most.</summary>
    public static string Of(string text, string? secret)
    {
        var shown = secret is { Length: > 0 } ? text.Replace(secret, "…", StringComparison.Ordinal) : text;
        shown = new string([.. shown.Select(character => char.IsControl(character) ? ' ' : character)]).Trim();
        return shown.Length <= MaxForeign ? shown : shown[..(MaxForeign - 1)] + "…";
    }
}
