using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Jobs;

/// <summary>What a retry policy of a request must be like, wherever one stands.</summary>
public sealed class RetryPolicyRules : AbstractValidator<RetryPolicy>
{
    private const int MaxSeconds = 24 * 60 * 60;
    private const int MaxDelays = 100;

    public RetryPolicyRules()
    {
        RuleFor(policy => policy.MaxAttempts).InclusiveBetween(1, 1000);
        RuleFor(policy => policy.Strategy).IsOneOf(["exponential", "linear", "list"]);
        RuleFor(policy => policy.InitialSeconds).InclusiveBetween(0, MaxSeconds);
        RuleFor(policy => policy.MaxSeconds).InclusiveBetween(0, MaxSeconds);
        RuleFor(policy => policy.Jitter).InclusiveBetween(0, 1);
        RuleFor(policy => policy.DelaysSeconds).HasItems(0, MaxDelays);
        RuleFor(policy => policy.DelaysSeconds)
            .Must(delays => delays is { Count: > 0 })
            .When(policy => policy.Strategy == "list")
            .WithMessage("delays_seconds must hold 1 to 100 delays where the strategy is list.");
        RuleForEach(policy => policy.DelaysSeconds).InclusiveBetween(0, MaxSeconds);
    }
}
