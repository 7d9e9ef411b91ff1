using Bellhop.Infrastructure.Outgoing;
using MailKit.Net.Smtp;
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
