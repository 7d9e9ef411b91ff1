using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary>What may go wrong with an automation, beyond what may go wrong with any request.</summary>
public static class AutomationProblems
{
    public static readonly ProblemCode ExpressionError = new(422, "expression_error", "An expression is not valid");

    public static Problem NoAutomation(NameOrId automation) =>
        Problems.NotFound.Because($"There is no automation {automation} in this project.");
}
