using System.Text.RegularExpressions;
using MimeKit;

namespace Bellhop.Features.Connections;

/// <summary>A message as it is to be sent: plain text in UTF-8.</summary>
/// <param name="To">1 to 50 addresses; all of them get it, or none.</param>
/// <param name="Subject">One line of 1 to 500 characters.</param>
/// <param name="MessageId">Without brackets: <c>id@domain</c>. The same for every attempt, so that a receiver can tell a repetition.</param>
public sealed partial record Mail(IReadOnlyList<string> To, string Subject, string Text, string MessageId)
{
    public const int MaxRecipients = 50;
    public const int MaxAddressLength = 500;
    public const int MaxSubjectLength = 500;

    /// <summary>What is wrong with it; null: nothing. A line break in a header would begin another header.</summary>
    public string? Fault() =>
        To.Count is 0 or > MaxRecipients ? $"A message has 1 to {MaxRecipients} recipients."
        : To.FirstOrDefault(address => ParseAddress(address) is null) is { } bad
            // whole or not at all: a part of it might be a part of a secret, which nobody would recognise
            ? $"{(bad.Length <= 100 ? new string([.. bad.Where(character => !char.IsControl(character))]) : "What is given")} is no address."
        : Subject.Length is 0 or > MaxSubjectLength || Subject.Any(char.IsControl)
            ? $"A subject is one line of 1 to {MaxSubjectLength} characters."
        : !MessageIdForm().IsMatch(MessageId) ? "A message's id is id@domain."
        : null;

    /// <summary>One address, with or without the name of who has it; null where the text is none.</summary>
    public static MailboxAddress? ParseAddress(string? text) =>
        text is { Length: > 0 and <= MaxAddressLength }
        && !text.Any(char.IsControl)
        && MailboxAddress.TryParse(text, out var address)
        && address.Address.Split('@') is [{ Length: > 0 }, { Length: > 0 }]
            ? address
            : null;

    [GeneratedRegex(@"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+\z")]
    private static partial Regex MessageIdForm();
}

/// <summary>What became of a message.</summary>
/// <param name="Code">The server's reply code (RFC 5321 section 4.2); null where there was none.</param>
/// <param name="Message">Why it was refused, as far as the server said; null where it was taken.</param>
/// <param name="IsPermanent">Whether the same message would be refused again: a 5xx reply, or a fault in it.</param>
public sealed record MailResult(bool IsSent, int? Code, string? Message, bool IsPermanent)
{
    internal static MailResult Sent { get; } = new(true, 250, null, false);

    internal static MailResult Refused(int? code, string message, bool isPermanent) =>
        new(false, code, message, isPermanent);
}
