using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Expressions;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary>The <c>with</c> of a step while it is compiled, with what is needed to say where it is wrong.</summary>
/// <param name="Targets">What there is to name in the project; null where a version saved long ago is compiled again.</param>
internal sealed record StepSource(
    JsonElement With,
    string Pointer,
    Scope Scope,
    DocumentFaults Faults,
    StepTargets? Targets
)
{
    /// <summary>How its author wants failures tried again; null: as the queue says.</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>The whole of <c>with</c> as one template; null where it does not compile.</summary>
    public Template? Compile(bool withSecrets = false)
    {
        var compiled = Template.Compile(
            With,
            withSecrets ? AutomationScope.WithSecrets(Scope, Targets?.Secrets) : Scope
        );
        if (compiled.Succeeded)
        {
            return compiled.Value;
        }

        Faults.Add(Pointer, compiled.Error);
        return null;
    }

    /// <summary>Refuses members that the step does not have, and the lack of those it needs.</summary>
    public void Expect(string[] needed, string[] optional)
    {
        foreach (var member in With.EnumerateObject())
        {
            if (!needed.Contains(member.Name) && !optional.Contains(member.Name))
            {
                var known = string.Join(", ", needed.Concat(optional));
                Faults.Add(At(member.Name), "unknown_member", $"There is no member {member.Name}; known are {known}.");
            }
        }

        foreach (var name in needed)
        {
            if (!With.TryGetProperty(name, out _))
            {
                Faults.Add(At(name), "required", $"{name} is required.");
            }
        }
    }

    /// <summary>A member's text where it holds no expression, so that it can be judged now.</summary>
    public string? Literal(string name)
    {
        if (!With.TryGetProperty(name, out var value))
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.String)
        {
            Refuse(name, "wrong_type", $"{name} is a string.");
            return null;
        }

        var text = value.GetString()!;
        return text.Contains("${", StringComparison.Ordinal) ? null : text;
    }

    public void Refuse(string name, string code, string message) => Faults.Add(At(name), code, message);

    private string At(string name) => $"{Pointer}/{StrictJson.Escape(name)}";
}
