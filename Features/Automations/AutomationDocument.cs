using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Expressions;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;

namespace Bellhop.Features.Automations;

/// <summary>An automation as its author writes it: which events start it, and what it then does.</summary>
/// <param name="Name">A slug, unique in the project.</param>
/// <param name="On">Which events start a run.</param>
/// <param name="If">An expression over <c>event</c>, <c>run</c> and <c>now</c>; a run starts only where it is true.</param>
/// <param name="Steps">1–100, taken in order. An expression may name the steps before its own.</param>
/// <param name="Enabled">False: no event starts it.</param>
public sealed record AutomationDocument(
    [property: SlugShape] string? Name,
    AutomationTrigger? On,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(Limits.SourceLength)] string? If,
    [property: Length(1, CompiledAutomation.MaxSteps)] IReadOnlyList<StepDocument>? Steps,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Enabled
) : INamedDocument<AutomationDocument>, IExampled<AutomationDocument>
{
    public AutomationDocument Named(string name) => this with { Name = name };

    public static AutomationDocument Example =>
        new(
            Story.Name,
            new AutomationTrigger(["ticket.created"]),
            "size(event.data.text) > 10",
            [
                new StepDocument(
                    "note",
                    "job",
                    null,
                    Story.Json("""{"kind":"log","args":{"message":"ticket ${event.data.ticket}"}}""")
                ),
                new StepDocument(
                    "tell",
                    "emit",
                    null,
                    Story.Json("""{"type":"ticket.triaged","subject":"${event.subject}"}""")
                ),
            ],
            true
        );

    public static AutomationDocument Read(string json) =>
        JsonSerializer.Deserialize<AutomationDocument>(json, JsonRules.Options)!;

    public string ToJson() => JsonSerializer.Serialize(this, JsonRules.Options);
}

/// <summary>The event pattern of an automation.</summary>
/// <param name="Type">Types, one of which must match: exact, <c>a.b.*</c> (one or more further segments), or <c>*</c>.</param>
public sealed record AutomationTrigger(
    [property: Length(1, CompiledAutomation.MaxTypes), Each(EventTypePattern.MaxLength)] IReadOnlyList<string>? Type
);

/// <summary>One step as its author writes it.</summary>
/// <param name="Id">Names the step's output: <c>steps.&lt;id&gt;.output</c>.</param>
/// <param name="Uses"><c>set</c>, <c>job</c> or <c>emit</c>.</param>
/// <param name="If">An expression; where it is false the step is skipped and its output is null.</param>
/// <param name="With">An object in whose strings <c>${…}</c> stands for the value of an expression.</param>
public sealed record StepDocument(
    [property: Length(1, 63), RegularExpression(CompiledAutomation.StepIdPattern)] string? Id,
    [property: AllowedValues("set", "job", "emit")] string? Uses,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(Limits.SourceLength)] string? If,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), AnyObject] JsonElement? With
);
