using System.Net.Sockets;
using Bellhop.Infrastructure.Outgoing;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;

namespace Bellhop.Features.Connections;

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
