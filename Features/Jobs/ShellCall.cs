using System.Text;
using System.Text.Json;
using FluentValidation;

namespace Bellhop.Features.Jobs;

/// <summary>A command of the host to be run, as who wants it run writes it.</summary>
/// <param name="Command">One that the operator allows.</param>
/// <param name="Args">Arguments after the command's own, at most 100; only where the operator allows them.</param>
/// <param name="Stdin">What it reads: text as it is, anything else as JSON.</param>
/// <param name="TimeoutSeconds">0.1–86,400.</param>
public sealed record ShellCall(
    string? Command,
    IReadOnlyList<string>? Args = null,
    JsonElement? Stdin = null,
    double TimeoutSeconds = 300
)
{
    /// <summary>The command only: the rest may be anything.</summary>
    public override string ToString() => Command ?? "";

    internal byte[] Input =>
        Stdin switch
        {
            null or { ValueKind: JsonValueKind.Null } => [],
            { ValueKind: JsonValueKind.String } text => Encoding.UTF8.GetBytes(text.GetString()!),
            { } json => Encoding.UTF8.GetBytes(json.GetRawText()),
        };
}

/// <summary>What makes a call sound.</summary>
public sealed class ShellCallRules : AbstractValidator<ShellCall>
{
    private const int MaxArguments = 100;

    public ShellCallRules()
    {
        RuleFor(call => call.Command).NotEmpty().MaximumLength(63);
        RuleFor(call => call.Args)
            .Must(arguments =>
                arguments is null
                || (
                    arguments.Count <= MaxArguments
                    && arguments.All(one => one is not null && !one.Contains('\0', StringComparison.Ordinal))
                )
            )
            .WithErrorCode("invalid")
            .WithMessage($"args are at most {MaxArguments} texts.");
        RuleFor(call => call.TimeoutSeconds).InclusiveBetween(0.1, 86_400);
    }
}
