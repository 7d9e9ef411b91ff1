using System.Text.Json;
using System.Text.RegularExpressions;
using FluentValidation;

namespace Bellhop.Features.Connections;

/// <summary>A statement for an outside database, as who wants it executed writes it.</summary>
/// <param name="Connection">Name or id of a connection of kind <c>postgresql</c> or <c>mysql</c>.</param>
/// <param name="Statement">One statement, 1 to 65,536 characters.</param>
/// <param name="Parameters">
/// Values by name for <c>@name</c>, or a list for the places of the server's own spelling (<c>$1</c>, <c>?</c>); sent beside the
/// statement, never within it. <c>{"secret":"name"}</c> stands for a named secret, other objects and lists are sent as JSON text.
/// </param>
/// <param name="MaxRows">0–1,000: how many of the rows it answers are kept.</param>
/// <param name="TimeoutSeconds">0.1–3,600, over everything from resolving the name to the last row.</param>
public sealed record SqlCall(
    string? Connection,
    string? Statement,
    JsonElement? Parameters = null,
    int MaxRows = 1_000,
    double TimeoutSeconds = 30
)
{
    /// <summary>The connection only: the rest may be anything.</summary>
    public override string ToString() => Connection ?? "";
}

/// <summary>What makes a statement sound, as far as that can be said without its server.</summary>
public sealed partial class SqlCallRules : AbstractValidator<SqlCall>
{
    private const int MaxParameters = 100;

    public SqlCallRules()
    {
        RuleFor(call => call.Connection).NotEmpty();
        RuleFor(call => call.Statement).NotEmpty().MaximumLength(65_536);
        RuleFor(call => call.Parameters)
            .Must(parameters =>
                parameters switch
                {
                    null or { ValueKind: JsonValueKind.Null } => true,
                    { ValueKind: JsonValueKind.Array } list => list.GetArrayLength() <= MaxParameters,
                    { ValueKind: JsonValueKind.Object } named => named.GetPropertyCount() <= MaxParameters
                        && named.EnumerateObject().All(one => Name().IsMatch(one.Name)),
                    _ => false,
                }
            )
            .WithErrorCode("invalid")
            .WithMessage($"parameters are at most {MaxParameters} values, by names such as order_id or in a list.");
        RuleFor(call => call.Parameters)
            .Must(parameters =>
                parameters is not { ValueKind: JsonValueKind.Object } named
                || !SqlParameters.Given.Any(name => named.TryGetProperty(name, out _))
            )
            .WithErrorCode("reserved")
            .WithMessage($"{string.Join(" and ", SqlParameters.Given)} are given to every statement.");
        RuleFor(call => call.MaxRows).InclusiveBetween(0, 1_000);
        RuleFor(call => call.TimeoutSeconds).InclusiveBetween(0.1, 3_600);
    }

    [GeneratedRegex(@"^[a-z_][a-z0-9_]{0,62}\z")]
    private static partial Regex Name();
}
