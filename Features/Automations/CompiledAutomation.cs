using Bellhop.Features.Events;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary>An automation ready to run: every pattern, expression and template of it compiled. Immutable.</summary>
internal sealed class CompiledAutomation
{
    public const int MaxSteps = 100;
    public const string StepIdPattern = "^[a-z][a-z0-9_]{0,62}$";
    public const int MaxTypes = 100;

    private CompiledAutomation(IReadOnlyList<RunStep> steps) => Steps = steps;

    /// <summary>In order; those that handle a failure follow the step that may fail.</summary>
    public IReadOnlyList<RunStep> Steps { get; }

    /// <summary>The steps whose effect is outside.</summary>
    public IEnumerable<StepEffect> Effects => Steps.Select(step => step.Action).OfType<StepEffect>();

    /// <summary>Checks a document whole; every fault is told, each with a pointer to its member.</summary>
    /// <param name="targets">What there is to name in the project; null skips that check, for what was saved before.</param>
    public static Result<CompiledAutomation> Compile(AutomationDocument document, StepTargets? targets)
    {
        var faults = new DocumentFaults();
        if (!Slug.IsSound(document.Name))
        {
            faults.Add("/name", "invalid_name", "A name is 1 to 63 lower-case letters, digits and inner hyphens.");
        }

        CheckTags(document.Tags, faults);
        CheckTypes(document.On?.Type, faults);
        faults.Compile(document.If, "/if", AutomationScope.After([]));
        var steps = new StepCompiler(faults, targets).Compile(document.Steps);
        return faults.ToProblem() is { } problem ? problem : new CompiledAutomation(steps);
    }

    private static void CheckTags(IReadOnlyList<string>? tags, DocumentFaults faults)
    {
        if (tags?.Count > AccessRules.MaxTags)
        {
            faults.Add("/tags", "out_of_range", $"{AccessRules.MaxTags} tags at most.");
        }

        for (var index = 0; index < (tags?.Count ?? 0); index++)
        {
            if (!Slug.IsSound(tags![index]))
            {
                faults.Add(
                    $"/tags/{index}",
                    "invalid_name",
                    "A tag is 1 to 63 lower-case letters, digits and inner hyphens."
                );
            }
        }
    }

    private static void CheckTypes(IReadOnlyList<string>? types, DocumentFaults faults)
    {
        if (types is null or { Count: 0 or > MaxTypes })
        {
            faults.Add(
                "/on/type",
                types is null ? "required" : "out_of_range",
                $"on.type has 1 to {MaxTypes} patterns."
            );
            return;
        }

        for (var index = 0; index < types.Count; index++)
        {
            if (types[index] is not { } type || EventTypePattern.Parse(type) is null)
            {
                faults.Add($"/on/type/{index}", "invalid", "A type, a type that ends in .*, or * alone.");
            }
        }
    }
}
