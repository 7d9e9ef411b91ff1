using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Bellhop.Infrastructure.Cli;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>What of a queue can be typed: each option is a member of its document, <c>none</c> takes it away.</summary>
internal sealed class QueueOptions
{
    private const string None = "none";

    private readonly Option<string> _name = new("--name") { Description = "its name or id", Required = true };

    private readonly (string Member, Option<string?> Option)[] _members =
    [
        ("served_by", Of("--served-by", "service, or workers that claim over the API")),
        ("max_running", Of("--max-running", "how many run at once")),
        ("rate", Of("--rate", "how many start in how many seconds, and at once after a pause: 100/60 or 100/60/10")),
        ("lane_limit", Of("--lane-limit", "how many of one lane run at once")),
        ("lane_ordered", Of("--lane-ordered", "true: those of one lane run one after the other")),
        ("weight", Of("--weight", "its share among the queues")),
        ("max_depth", Of("--max-depth", "how many unfinished jobs it takes")),
        ("lease_seconds", Of("--lease-seconds", "when a silent worker's job is given to another")),
        ("max_run_seconds", Of("--max-run-seconds", "how long an execution may take")),
    ];

    private readonly Option<string?> _maxAttempts = Of("--max-attempts", "how often a job that fails is tried");

    public Symbol[] All => [_name, .. _members.Select(member => member.Option), _maxAttempts];

    public string Name(CliSession session) => session.Get(_name)!;

    /// <summary>The members that were typed, as JSON; what is no number stays as it is, and is refused with its place.</summary>
    public JsonObject Read(CliSession session)
    {
        var typed = new JsonObject();
        foreach (var (member, option) in _members)
        {
            if (session.Get(option) is { } text)
            {
                typed[member] = member == "rate" ? Rate(text) : Value(text);
            }
        }

        if (session.Get(_maxAttempts) is { } attempts)
        {
            typed["retry"] = attempts == None ? null : new JsonObject { ["max_attempts"] = Value(attempts) };
        }

        return typed;
    }

    private static JsonNode? Rate(string text) =>
        text == None ? null
        : text.Split('/') is [var count, var seconds, .. var burst] && burst.Length < 2
            ? new JsonObject
            {
                ["count"] = Value(count),
                ["seconds"] = Value(seconds),
                ["burst"] = burst is [var most] ? Value(most) : 1,
            }
        : JsonValue.Create(text);

    private static JsonValue? Value(string text) =>
        text == None ? null
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? JsonValue.Create(number)
        : bool.TryParse(text, out var flag) ? JsonValue.Create(flag)
        : JsonValue.Create(text);

    private static Option<string?> Of(string name, string description) =>
        new(name) { Description = $"{description}; none: as usual" };
}
