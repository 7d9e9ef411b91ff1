using System.Text.Json;
using FluentValidation;

namespace Bellhop.Features.Connections;

/// <summary>A message, as who wants it sent writes it.</summary>
/// <param name="Connection">Name or id of a connection: by <c>smtp</c> it goes as a mail, by <c>http</c> to a chat.</param>
/// <param name="To">Of a mail: one address, or a list of 1 to 50.</param>
/// <param name="Subject">Of a mail its subject, 1 to 500 characters; a line before the text elsewhere.</param>
/// <param name="Text">Plain text, 1 to 65,536 characters.</param>
public sealed record MailCall(string? Connection, JsonElement? To = null, string? Subject = null, string? Text = null)
{
    /// <summary>The recipients as they are written.</summary>
    public IReadOnlyList<string> Recipients => To is { } to ? [.. Scalars.TextsOf(to)] : [];

    /// <summary>The connection only: the rest is somebody's mail.</summary>
    public override string ToString() => Connection ?? "";
}

/// <summary>What makes a message sound.</summary>
public sealed class MailCallRules : AbstractValidator<MailCall>
{
    private const int MaxRecipients = 50;

    public MailCallRules()
    {
        RuleFor(call => call.Connection).NotEmpty();
        RuleFor(call => call.Text).NotEmpty().MaximumLength(65_536);
        RuleFor(call => call.Subject)
            .MaximumLength(500)
            .Must(subject => subject is null || !subject.AsSpan().ContainsAnyInRange('\0', '\u001f'))
            .WithErrorCode("invalid")
            .WithMessage("subject is one line.");
        RuleFor(call => call.To)
            .Must(to =>
                to is null or { ValueKind: JsonValueKind.String or JsonValueKind.Null }
                || (
                    to is { ValueKind: JsonValueKind.Array } list
                    && list.GetArrayLength() is >= 1 and <= MaxRecipients
                    && list.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
                )
            )
            .WithErrorCode("wrong_type")
            .WithMessage($"to is an address, or a list of 1 to {MaxRecipients}.");
    }
}
