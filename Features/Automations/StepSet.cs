using Bellhop.Infrastructure.Expressions;

namespace Bellhop.Features.Automations;

/// <summary><c>set</c>: its output is its <c>with</c>, rendered.</summary>
internal sealed class StepSet(Template with) : IStepAction
{
    public static StepSet? Compile(StepSource source) => source.Compile() is { } with ? new StepSet(with) : null;

    public StepOutcome Take(RunContext context, string stepId)
    {
        var output = with.Render(context.Values);
        return output.Succeeded ? StepOutcome.Succeeded(output.Value) : StepOutcome.Failed(output.Error);
    }
}
