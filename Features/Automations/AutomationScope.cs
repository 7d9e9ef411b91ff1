using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Expressions;

namespace Bellhop.Features.Automations;

/// <summary>What an expression of an automation sees: <c>event</c>, <c>steps</c>, <c>run</c> and <c>now</c>.</summary>
internal static class AutomationScope
{
    /// <summary>Where <c>steps</c> stands among the values.</summary>
    public const int Steps = 1;

    private static readonly JsonDocumentOptions Deep = new() { MaxDepth = 128 };

    public const string Secrets = "secrets";

    private static readonly Shape Step = Shape.Closed(
        ("output", Shape.Free),
        ("state", Shape.Text),
        ("error", Shape.Free)
    );

    private static readonly Shape Run = Shape.Closed(
        ("id", Shape.Text),
        ("automation", Shape.Text),
        ("version", Shape.Free),
        ("depth", Shape.Free)
    );

    // open: an event may have any extension attribute
    private static readonly Shape Event = Shape.Open(
        ("specversion", Shape.Text),
        ("id", Shape.Text),
        ("source", Shape.Text),
        ("type", Shape.Text)
    );

    /// <summary>The names where these steps have been taken; a step that has not is not known.</summary>
    public static Scope After(IEnumerable<string> steps) =>
        Scope.Of(
            ("event", Event),
            ("steps", Shape.Closed([.. steps.Select(id => (id, Step))])),
            ("run", Run),
            ("now", Shape.Text)
        );

    /// <summary>As <see cref="After"/>, and <c>secrets</c>; their value comes last.</summary>
    /// <param name="scope">The names without it.</param>
    /// <param name="known">The secrets there are; null: any.</param>
    public static Scope WithSecrets(Scope scope, IEnumerable<string>? known) => scope.With(Secrets, Shape.Named(known));

    /// <summary>The names of the secrets that a template uses.</summary>
    public static IEnumerable<string> SecretsIn(Template template) => template.Named.Select(use => use.Member);

    /// <summary>The values of those names, in their order.</summary>
    public static Value[] Values(NewEvent newEvent, Guid runId, string automation, int version, DateTime now) =>
        [
            Of(newEvent),
            Value.Map(),
            Value.Map(
                ("id", Value.From(runId.ToString())),
                ("automation", Value.From(automation)),
                ("version", Value.From((long)version)),
                ("depth", Value.From((long)newEvent.Depth + 1))
            ),
            Value.From(Text(now)),
        ];

    /// <summary>The value of <c>steps.&lt;id&gt;</c>.</summary>
    public static Value TakenStep(string state, JsonElement? output, JsonElement? error) =>
        Value.Map(("output", Of(output)), ("state", Value.From(state)), ("error", Of(error)));

    private static Value Of(JsonElement? json) => json is { } given ? Value.From(given) : Value.Null;

    private static Value Of(NewEvent newEvent)
    {
        var members = new List<(string Name, Value Value)>
        {
            ("specversion", Value.From("1.0")),
            ("id", Value.From(newEvent.EventId)),
            ("source", Value.From(newEvent.Source)),
            ("type", Value.From(newEvent.Type)),
            ("subject", Value.From(newEvent.Subject)),
            ("time", Value.From(newEvent.Time is { } time ? Text(time) : null)),
            ("data", newEvent.Data is { } data ? Value.From(JsonElement.Parse(data, Deep)) : Value.Null),
        };
        if (newEvent.Attributes is { } attributes)
        {
            foreach (var attribute in JsonElement.Parse(attributes, Deep).EnumerateObject())
            {
                if (!members.Exists(member => member.Name == attribute.Name))
                {
                    members.Add((attribute.Name, Value.From(attribute.Value)));
                }
            }
        }

        return Value.Map(CollectionsMarshal.AsSpan(members));
    }

    private static string Text(DateTime moment) =>
        moment.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
