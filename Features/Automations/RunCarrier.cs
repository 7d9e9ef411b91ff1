using System.Text.Json;
using Bellhop.Features.Jobs;

namespace Bellhop.Features.Automations;

/// <summary>The job that carries a run from one wait to the next.</summary>
internal static class RunCarrier
{
    public const string Kind = "automations.run";

    /// <summary>What brings the next carrier when a job ends that the run waits for.</summary>
    public static Continuation Next(Guid runId) => new(JobQueue.Automations, Kind, $$"""{"run_id":"{{runId}}"}""");

    public static Guid RunIdOf(ClaimedJob job)
    {
        using var args = JsonDocument.Parse(job.Args);
        return args.RootElement.GetProperty("run_id").GetGuid();
    }
}
