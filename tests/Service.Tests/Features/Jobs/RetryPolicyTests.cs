using Bellhop.Features.Jobs;
using CsCheck;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class RetryPolicyTests
{
    private static readonly string[] Strategies = ["exponential", "linear", "list"];

    private static readonly Gen<RetryPolicy> Policies = Gen.Select(
        Gen.Int[0, 2].Select(index => Strategies[index]),
        Gen.Double[0, 86_400],
        Gen.Double[0, 86_400],
        Gen.Double[0, 86_400].Array[1, 10],
        Gen.Double[0, 1],
        (strategy, initial, max, delays, jitter) => new RetryPolicy(20, strategy, initial, max, delays, jitter)
    );

    [Theory]
    [InlineData("exponential", 1, 10)]
    [InlineData("exponential", 4, 80)]
    [InlineData("exponential", 40, 1000)]
    [InlineData("linear", 3, 30)]
    [InlineData("list", 1, 7)]
    [InlineData("list", 9, 9)]
    public void Delays_are_as_the_strategy_says(string strategy, int attempt, double seconds)
    {
        var policy = new RetryPolicy(20, strategy, 10, 1000, [7, 8, 9], 0);

        Assert.Equal(seconds, policy.DelayAfter(attempt, 0.5).TotalSeconds);
    }

    [Fact]
    public void A_delay_is_never_negative_and_passes_the_longest_by_its_jitter_at_most() =>
        Gen.Select(Policies, Gen.Int[1, 100_000], Gen.Double.Unit)
            .Sample(
                (policy, attempt, random) =>
                {
                    var seconds = policy.DelayAfter(attempt, random).TotalSeconds;
                    return seconds >= 0 && seconds <= (policy.MaxSeconds * (1 + policy.Jitter)) + 1e-6;
                }
            );

    [Fact]
    public void Without_jitter_an_exponential_delay_never_gets_shorter() =>
        Gen.Select(Policies, Gen.Int[1, 1000])
            .Sample(
                (policy, attempt) =>
                {
                    var steady = policy with { Strategy = "exponential", Jitter = 0 };
                    return steady.DelayAfter(attempt, 0) <= steady.DelayAfter(attempt + 1, 0);
                }
            );
}
