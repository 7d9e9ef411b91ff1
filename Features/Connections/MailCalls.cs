using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Connections;

/// <summary>Sends messages as work of a job: a mail by SMTP, or a chat message by an HTTP connection.</summary>
/// <remarks>
/// At least once: a mail bears the same <c>Message-ID</c> at every attempt, a chat message the same <c>Idempotency-Key</c>. What a
/// server calls temporary (4xx of SMTP, a fault of the network) is tried again; a refusal for good is final.
/// </remarks>
public sealed class MailCalls(ConnectionCache connections, HttpCalls http, MailSender sender)
{
    /// <param name="projectId">Whose connection it is.</param>
    /// <param name="call">A sound one.</param>
    /// <param name="key">What stays the same over all attempts.</param>
    /// <param name="secrets">What must not stand in the outcome.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<JobOutcome> SendAsync(
        Guid projectId,
        MailCall call,
        string key,
        IReadOnlyCollection<string> secrets,
        CancellationToken cancellationToken
    )
    {
        var connection = await connections.FindAsync(projectId, call.Connection!, cancellationToken);
        return connection?.Kind switch
        {
            null => Refuse("unknown_connection", $"There is no connection {call.Connection} in this project."),
            ConnectionKind.Smtp => await MailAsync(connection, call, key, secrets, cancellationToken),
            ConnectionKind.Http => await http.SendAsync(
                projectId,
                ToChat(call, connection),
                key,
                secrets,
                cancellationToken
            ),
            var kind => Refuse(
                "wrong_connection_kind",
                $"The connection {call.Connection} is of kind {kind}; messages go by smtp or http."
            ),
        };
    }

    private async Task<JobOutcome> MailAsync(
        OpenConnection connection,
        MailCall call,
        string key,
        IReadOnlyCollection<string> secrets,
        CancellationToken cancellationToken
    )
    {
        var from = Mail.ParseAddress(((SmtpConfig)connection.Config).From)!;
        var mail = new Mail(call.Recipients, call.Subject ?? "", call.Text!, $"{key}@{from.Domain}");
        var result = await sender.SendAsync(connection, mail, cancellationToken);
        return result.IsSent
            ? new JobOutcome.Succeeded(JsonSerializer.Serialize(new { message_id = mail.MessageId }))
            : new JobOutcome.Failed(
                "mail_refused",
                new Mask(secrets).ApplyToCut(result.Message!),
                Retryable: !result.IsPermanent
            );
    }

    // what the webhooks of chats have in common: the base URL is the address, the text is all
    private static HttpCall ToChat(MailCall call, OpenConnection connection) =>
        new(
            "POST",
            call.Connection,
            ((HttpConfig)connection.Config).BaseUrl,
            Body: JsonSerializer.SerializeToElement(
                new { text = string.IsNullOrEmpty(call.Subject) ? call.Text : $"{call.Subject}\n{call.Text}" },
                JsonRules.Options
            )
        );

    private static JobOutcome.Failed Refuse(string code, string message) => new(code, message, Retryable: false);
}
