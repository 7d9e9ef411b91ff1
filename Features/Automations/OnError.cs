using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary>What the failure of a step means for its run.</summary>
/// <remarks>
/// <c>fail</c>: the run fails. <c>continue</c>: it goes on, with the failure to be seen as <c>steps.&lt;id&gt;.error</c>.
/// <c>{"steps": […]}</c>: these are taken, and then it goes on. A run that went on past a failure ends <c>partial</c>.
/// </remarks>
/// <param name="GoesOn">Whether the run goes on.</param>
/// <param name="Steps">What it does first.</param>
internal sealed record OnError(bool GoesOn, IReadOnlyList<ErrorStepDocument?> Steps)
{
    private static readonly OnError Fail = new(false, []);

    /// <summary>The choice, and what is wrong with how it is written.</summary>
    public static (OnError Choice, FieldError? Fault) Read(JsonElement? written, string pointer)
    {
        switch (written)
        {
            case null or { ValueKind: JsonValueKind.Null }:
                return (Fail, null);
            case { ValueKind: JsonValueKind.String } word when OnErrorWords.All.Contains(word.GetString()):
                return (new OnError(word.GetString() == OnErrorWords.Continue, []), null);
            case { ValueKind: JsonValueKind.Object } form:
                return ReadSteps(form, pointer);
            default:
                var words = string.Join(", ", OnErrorWords.All);
                return (Fail, FieldError.At(pointer, "invalid", $"One of {words}, or an object with steps."));
        }
    }

    private static (OnError Choice, FieldError? Fault) ReadSteps(JsonElement form, string pointer)
    {
        try
        {
            var steps = form.Deserialize<ErrorSteps>(JsonRules.Options)!.Steps;
            return steps is { Count: > 0 }
                ? (new OnError(true, steps), null)
                : (Fail, FieldError.At($"{pointer}/steps", "out_of_range", "At least one step; else say continue."));
        }
        catch (JsonException exception)
        {
            return (Fail, JsonFaults.Explain(exception, pointer));
        }
    }
}

/// <summary>The words for what a failure means.</summary>
public static class OnErrorWords
{
    public const string Fail = "fail";
    public const string Continue = "continue";

    public static readonly IReadOnlyList<string> All = [Fail, Continue];
}

/// <summary>Steps taken only where a step failed.</summary>
/// <param name="Steps">1–100, in order; one of them that fails fails the run.</param>
public sealed record ErrorSteps(
    [property: Length(1, CompiledAutomation.MaxSteps)] IReadOnlyList<ErrorStepDocument>? Steps
);
