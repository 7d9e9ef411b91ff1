using System.Text.Json;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using FluentValidation;

namespace Bellhop.Features.Jobs;

/// <summary>Reads what is to be done from the args of a job or the rendered <c>with</c> of a step.</summary>
public static class JobArgs
{
    /// <summary>A sound call, or the failure that says what is wrong with it.</summary>
    public static (T? Call, JobOutcome.Failed? Refusal) Read<T>(string json, IValidator<T> rules)
        where T : class
    {
        T call;
        try
        {
            call = JsonSerializer.Deserialize<T>(json, JsonRules.Options)!;
        }
        catch (JsonException exception)
        {
            return (
                null,
                new JobOutcome.Failed("invalid_args", JsonFaults.Explain(exception).Message, Retryable: false)
            );
        }

        return ValidationProblem.Of(rules.Validate(call)) is { } problem
            ? (null, new JobOutcome.Failed("invalid_args", Tell(problem), Retryable: false))
            : (call, null);
    }

    private static string Tell(Problem problem) =>
        string.Join(" ", problem.Errors.Select(error => $"{error.Pointer}: {error.Message}"));
}
