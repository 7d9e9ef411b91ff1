namespace Bellhop.Features.Jobs.Workers.Checking;

/// <summary>What came of one rule.</summary>
/// <param name="Says">What a worker has to do.</param>
/// <param name="Seen">What this one did.</param>
public sealed record RuleReport(string Rule, string Says, bool IsKept, string Seen)
{
    internal string ToText() => $"{(IsKept ? "pass" : "FAIL")}  {Rule, -20} {(IsKept ? Seen : $"{Seen} (it {Says})")}";
}

/// <summary>Plays the rules one after another. What must have no effect any more is looked at again when all are done.</summary>
internal sealed class CheckPlay(CheckStage stage, Action<string> tell)
{
    public async Task<IReadOnlyList<RuleReport>> RunAsync(int patienceSeconds, CancellationToken cancellationToken)
    {
        try
        {
            await stage.UntilAsync(
                () => stage.Slots > 0,
                patienceSeconds,
                string.Join("; ", stage.TakeFaults().DefaultIfEmpty("no worker came")),
                cancellationToken
            );
        }
        catch (RuleBroken broken)
        {
            return [.. CheckRules.All.Select(rule => new RuleReport(rule.Name, rule.Says, false, broken.Message))];
        }

        var played = new List<(RuleReport Report, CheckedJob? Stopped)>();
        foreach (var rule in CheckRules.All)
        {
            var (report, stopped) = await PlayAsync(rule, cancellationToken);
            played.Add((report, stopped));
            tell(report.ToText());
        }

        var latest = played.Max(one => DueAt(one.Stopped));
        await stage.NeverAsync(() => null, Math.Max(0, (latest - stage.Now).TotalSeconds), cancellationToken);
        return [.. played.Select(one => Judge(one.Report, one.Stopped))];
    }

    private async Task<(RuleReport, CheckedJob?)> PlayAsync(CheckRule rule, CancellationToken cancellationToken)
    {
        try
        {
            var (seen, stopped) = await rule.PlayAsync(stage, cancellationToken);
            var faults = stage.TakeFaults();
            return (
                new RuleReport(rule.Name, rule.Says, faults.Count == 0, string.Join("; ", faults.DefaultIfEmpty(seen))),
                stopped
            );
        }
        catch (RuleBroken broken)
        {
            var seen = string.Join("; ", stage.TakeFaults().Prepend(broken.Message));
            return (new RuleReport(rule.Name, rule.Says, false, seen), null);
        }
        finally
        {
            stage.Clear();
            if (rule != CheckRules.All[^1])
            {
                await SettleAsync(cancellationToken);
            }
        }
    }

    // what it still holds is lost to it, so that the next rule finds it free; whether it is shows there
    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        try
        {
            await stage.BeFreeAsync(20, cancellationToken);
        }
        catch (RuleBroken)
        {
            // the next rule says so
        }
    }

    // a while later, for it takes its time too
    private static TimeSpan DueAt(CheckedJob? job) =>
        job?.TakenAt is { } taken ? taken + TimeSpan.FromSeconds(job.Seconds + 1) : TimeSpan.Zero;

    private RuleReport Judge(RuleReport report, CheckedJob? stopped) =>
        stopped is not null && stage.Look(() => stopped.EffectAt) is { } at && report.IsKept
            ? report with
            {
                IsKept = false,
                Seen =
                    $"its handler went on, and had its effect {(at - stopped.TakenAt!.Value).TotalSeconds:0.0} s after the claim",
            }
            : report;
}
