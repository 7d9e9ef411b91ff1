using System.Text.Json;
using System.Text.RegularExpressions;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Expressions;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary>An automation ready to run: every pattern, expression and template of it compiled. Immutable.</summary>
internal sealed partial class CompiledAutomation
{
    public const int MaxSteps = 100;
    public const string StepIdPattern = "^[a-z][a-z0-9_]{0,62}$";
    public const int MaxTypes = 100;

    private CompiledAutomation(IReadOnlyList<RunStep> steps) => Steps = steps;

    public IReadOnlyList<RunStep> Steps { get; }

    /// <summary>Checks a document whole; every fault is told, each with a pointer to its member.</summary>
    /// <param name="targets">Where a job may go; null skips that check, for what was saved before.</param>
    public static Result<CompiledAutomation> Compile(AutomationDocument document, JobTargets? targets)
    {
        var faults = new DocumentFaults();
        if (!Slug.IsSound(document.Name))
        {
            faults.Add("/name", "invalid_name", "A name is 1 to 63 lower-case letters, digits and inner hyphens.");
        }

        CheckTypes(document.On?.Type, faults);
        CompileIf(document.If, "/if", AutomationScope.After([]), faults);
        var steps = CompileSteps(document.Steps, faults, targets);
        return faults.ToProblem() is { } problem ? problem : new CompiledAutomation(steps);
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

    private static List<RunStep> CompileSteps(
        IReadOnlyList<StepDocument>? documents,
        DocumentFaults faults,
        JobTargets? targets
    )
    {
        var steps = new List<RunStep>();
        if (documents is null or { Count: 0 or > MaxSteps })
        {
            faults.Add("/steps", documents is null ? "required" : "out_of_range", $"There are 1 to {MaxSteps} steps.");
            return steps;
        }

        var before = new List<string>();
        for (var index = 0; index < documents.Count; index++)
        {
            var pointer = $"/steps/{index}";
            if (documents[index] is not { } document)
            {
                faults.Add(pointer, "wrong_type", "A step is an object.");
                continue;
            }

            var scope = AutomationScope.After(before);
            var condition = CompileIf(document.If, $"{pointer}/if", scope, faults);
            var action = CompileAction(document, pointer, scope, faults, targets);
            if (CheckId(document.Id, pointer, before, faults) is { } id)
            {
                before.Add(id);
                if (action is not null)
                {
                    steps.Add(new RunStep(id, condition, action));
                }
            }
        }

        return steps;
    }

    private static string? CheckId(string? id, string pointer, List<string> before, DocumentFaults faults)
    {
        if (id is null || !StepId().IsMatch(id))
        {
            faults.Add(
                $"{pointer}/id",
                id is null ? "required" : "invalid",
                "An id is 1 to 63 lower-case letters, digits and underscores, a letter first."
            );
            return null;
        }

        if (before.Contains(id))
        {
            faults.Add($"{pointer}/id", "duplicate", $"There is a step {id} before this one.");
            return null;
        }

        return id;
    }

    private static Expression? CompileIf(string? source, string pointer, Scope scope, DocumentFaults faults)
    {
        if (source is null)
        {
            return null;
        }

        var compiled = Expression.CompileCondition(source, scope);
        if (compiled.Succeeded)
        {
            return compiled.Value;
        }

        faults.Add(pointer, compiled.Error);
        return null;
    }

    private static IStepAction? CompileAction(
        StepDocument document,
        string pointer,
        Scope scope,
        DocumentFaults faults,
        JobTargets? targets
    )
    {
        if (document.Uses is not ("set" or "job" or "emit"))
        {
            faults.Add($"{pointer}/uses", document.Uses is null ? "required" : "invalid", "One of set, job, emit.");
            return null;
        }

        if (document.With is not { ValueKind: JsonValueKind.Object } with)
        {
            faults.Add($"{pointer}/with", document.With is null ? "required" : "wrong_type", "with is an object.");
            return null;
        }

        var source = new StepSource(with, $"{pointer}/with", scope, faults, targets);
        return document.Uses switch
        {
            "set" => StepSet.Compile(source),
            "job" => StepJob.Compile(source),
            _ => StepEmit.Compile(source),
        };
    }

    [GeneratedRegex(StepIdPattern, RegexOptions.ECMAScript)]
    private static partial Regex StepId();
}
