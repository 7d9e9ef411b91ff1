using System.Collections.Concurrent;
using System.Globalization;
using Bellhop.Tests.Support;
using CsCheck;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

/// <summary>The life of jobs, at random, against a model that was written from the documents .</summary>
/// <remarks>
/// BELLHOP_MODEL_SEED makes a run the same again; a fault says its seed, and what happened. The seed of every run is 1, that of the
/// nightly one is new each time.
/// </remarks>
public sealed class JobModelTests(ServiceFixture service)
{
    private const int AtOnce = 3;

    [Fact]
    public Task Whatever_happens_to_jobs_they_are_where_the_model_says() => RunAsync(1, runs: 10, steps: 100);

    [Fact]
    [Trait("Category", "nightly")]
    public Task Whatever_happens_in_ten_thousand_steps_jobs_are_where_the_model_says() =>
        RunAsync(Random.Shared.Next(1, int.MaxValue), runs: 50, steps: 200);

    private async Task RunAsync(int usual, int runs, int steps)
    {
        var seed = Environment.GetEnvironmentVariable("BELLHOP_MODEL_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture)
            : usual;
        var output = TestContext.Current.TestOutputHelper;
        output?.WriteLine($"BELLHOP_MODEL_SEED={seed}");
        var swept = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, runs),
            new ParallelOptions
            {
                MaxDegreeOfParallelism = AtOnce,
                CancellationToken = TestContext.Current.CancellationToken,
            },
            async (number, _) =>
            {
                var program = Step.Any.Array[steps].Generate(new PCG((uint)number, (ulong)seed), null, out var _);
                try
                {
                    var run = await JobModelRun.ExecuteAsync(service, program);
                    run.Swept.ForEach(swept.Add);
                }
                catch (InvalidOperationException fault)
                {
                    Assert.Fail($"BELLHOP_MODEL_SEED={seed}, run {number} of {runs}: {fault.Message}");
                }
            }
        );
        output?.WriteLine($"{runs} runs of {steps} steps; {swept.Count} of them were completed by the sweep alone");
        output?.WriteLine(string.Join('\n', swept.Take(40)));
    }
}
