using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
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
/// <param name="Tags">Up to 20 slugs, by which members and keys may be narrowed to some automations and their runs.</param>
public sealed record AutomationDocument(
    [property: SlugShape] string? Name,
    AutomationTrigger? On,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(Limits.SourceLength)] string? If,
    [property: Length(1, CompiledAutomation.MaxSteps)] IReadOnlyList<StepDocument>? Steps,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Enabled,
    [property:
        JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull),
        MaxLength(AccessRules.MaxTags),
        Each(Slug.MaxLength)
    ]
        IReadOnlyList<string>? Tags = null
) : INamedDocument<AutomationDocument>, ITagged, IExampled<AutomationDocument>
{
    public AutomationDocument Named(string name) => this with { Name = name };

    /// <summary>The steps, and those that handle their failures.</summary>
    public IEnumerable<ErrorStepDocument> AllSteps() =>
        Steps!.SelectMany(step =>
            (IEnumerable<ErrorStepDocument>)
                [step, .. Automations.OnError.Read(step.OnError, "").Choice.Steps.OfType<ErrorStepDocument>()]
        );

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

/// <summary>A step for when another has failed, as its author writes it.</summary>
/// <param name="Id">Names the step's output: <c>steps.{id}.output</c>.</param>
/// <param name="Uses">What it does.</param>
/// <param name="If">An expression; where it is false the step is skipped and its output is null.</param>
/// <param name="With">An object in whose strings <c>${…}</c> stands for the value of an expression.</param>
/// <param name="Retry">
/// How a failure that may pass is tried again: of a job, and of <c>http</c> and <c>notify</c>; null: as the queue says. What fails
/// the same way each time (<c>set</c>, <c>emit</c>, an expression) is not tried again.
/// </param>
public record ErrorStepDocument(
    [property: Length(1, 63), RegularExpression(CompiledAutomation.StepIdPattern)] string? Id,
    [property: WordOf(typeof(StepUses))] string? Uses,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(Limits.SourceLength)]
        string? If = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), AnyObject] JsonElement? With = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] RetryPolicy? Retry = null
);

/// <summary>One step as its author writes it.</summary>
/// <param name="Id">Names the step's output: <c>steps.{id}.output</c>.</param>
/// <param name="Uses">What it does.</param>
/// <param name="If">An expression; where it is false the step is skipped and its output is null.</param>
/// <param name="With">An object in whose strings <c>${…}</c> stands for the value of an expression.</param>
/// <param name="Retry">As for an error step.</param>
/// <param name="OnError">
/// What its failure means: <c>fail</c> (so too where nothing is said), <c>continue</c>, or steps to be taken before the run goes on.
/// A run that went on past a failure ends <c>partial</c>.
/// </param>
public sealed record StepDocument(
    string? Id,
    string? Uses,
    string? If = null,
    JsonElement? With = null,
    RetryPolicy? Retry = null,
    [property:
        JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull),
        JsonPropertyOrder(1), // after what every step has
        WordOr(typeof(OnErrorWords), typeof(ErrorSteps))
    ]
        JsonElement? OnError = null
) : ErrorStepDocument(Id, Uses, If, With, Retry);

/// <summary>What a step may do.</summary>
public static class StepUses
{
    public const string Set = "set";
    public const string Job = "job";
    public const string Emit = "emit";
    public const string Http = "http";
    public const string Notify = "notify";

    public static readonly IReadOnlyList<string> All = [Set, Job, Emit, Http, Notify];
}
