using System.Text.Json;
using System.Text.RegularExpressions;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Expressions;
using Bellhop.Infrastructure.Mediation;

namespace Bellhop.Features.Automations;

/// <summary>Compiles the steps of a document into one row of them: those that handle a failure follow the step that may fail.</summary>
internal sealed partial class StepCompiler(DocumentFaults faults, StepTargets? targets)
{
    private static readonly RetryPolicyRules RetryRules = new();

    private readonly List<RunStep> _steps = [];
    private readonly List<string> _ids = [];

    public IReadOnlyList<RunStep> Compile(IReadOnlyList<StepDocument>? documents)
    {
        if (documents is null or { Count: 0 or > CompiledAutomation.MaxSteps })
        {
            faults.Add(
                "/steps",
                documents is null ? "required" : "out_of_range",
                $"There are 1 to {CompiledAutomation.MaxSteps} steps."
            );
            return _steps;
        }

        for (var index = 0; index < documents.Count; index++)
        {
            var pointer = $"/steps/{index}";
            if (documents[index] is not { } document)
            {
                faults.Add(pointer, "wrong_type", "A step is an object.");
                continue;
            }

            var (onError, fault) = OnError.Read(document.OnError, $"{pointer}/on_error");
            if (fault is not null)
            {
                faults.Add(fault.Pointer!, fault.Code, fault.Message);
            }

            Compile(document, pointer, onError.GoesOn, handles: null);
            for (var step = 0; step < onError.Steps.Count; step++)
            {
                var below = $"{pointer}/on_error/steps/{step}";
                if (onError.Steps[step] is { } handling)
                {
                    Compile(handling, below, goesOn: false, document.Id ?? "");
                }
                else
                {
                    faults.Add(below, "wrong_type", "A step is an object.");
                }
            }
        }

        if (_ids.Count > CompiledAutomation.MaxSteps)
        {
            faults.Add(
                "/steps",
                "out_of_range",
                $"There are at most {CompiledAutomation.MaxSteps} steps, those in on_error counted."
            );
        }

        return _steps;
    }

    private void Compile(ErrorStepDocument document, string pointer, bool goesOn, string? handles)
    {
        var scope = AutomationScope.After(_ids);
        var condition = faults.Compile(document.If, $"{pointer}/if", scope);
        var retry = CheckRetry(document.Retry, $"{pointer}/retry");
        var action = CompileAction(document, pointer, scope, retry);
        if (CheckId(document.Id, pointer) is not { } id)
        {
            return;
        }

        _ids.Add(id);
        if (action is not null)
        {
            _steps.Add(new RunStep(id, condition, action, handles) { GoesOn = goesOn });
        }
    }

    private string? CheckId(string? id, string pointer)
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

        if (_ids.Contains(id))
        {
            faults.Add($"{pointer}/id", "duplicate", $"There is a step {id} before this one.");
            return null;
        }

        return id;
    }

    private RetryPolicy? CheckRetry(RetryPolicy? policy, string pointer)
    {
        if (policy is null)
        {
            return null;
        }

        var found = ValidationProblem.Of(RetryRules.Validate(policy));
        foreach (var error in found?.Errors ?? [])
        {
            faults.Add(pointer + error.Pointer, error.Code, error.Message);
        }

        return policy;
    }

    private IStepAction? CompileAction(ErrorStepDocument document, string pointer, Scope scope, RetryPolicy? retry)
    {
        if (document.Uses is null || !StepUses.All.Contains(document.Uses))
        {
            faults.Add(
                $"{pointer}/uses",
                document.Uses is null ? "required" : "invalid",
                $"One of {string.Join(", ", StepUses.All)}."
            );
            return null;
        }

        if (document.With is not { ValueKind: JsonValueKind.Object } with)
        {
            faults.Add($"{pointer}/with", document.With is null ? "required" : "wrong_type", "with is an object.");
            return null;
        }

        var source = new StepSource(with, $"{pointer}/with", scope, faults, targets) { Retry = retry };
        return document.Uses switch
        {
            StepUses.Set => StepSet.Compile(source),
            StepUses.Job => StepJob.Compile(source),
            StepUses.Emit => StepEmit.Compile(source),
            StepUses.Http => StepHttp.Compile(source),
            _ => StepNotify.Compile(source),
        };
    }

    [GeneratedRegex(CompiledAutomation.StepIdPattern, RegexOptions.ECMAScript)]
    private static partial Regex StepId();
}
