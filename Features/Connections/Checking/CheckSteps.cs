namespace Bellhop.Features.Connections.Checking;

/// <summary>Checks connections of some kinds.</summary>
internal interface IConnectionCheck
{
    IReadOnlyList<string> Kinds { get; }

    /// <summary>The steps it will take if all goes well.</summary>
    IEnumerable<string> StepsOf(OpenConnection connection);

    /// <summary>Takes them, and stops at the first that fails.</summary>
    Task RunAsync(OpenConnection connection, CheckSteps steps, CancellationToken cancellationToken);
}

/// <summary>Takes down the steps of one check as they are taken.</summary>
internal sealed class CheckSteps(IEnumerable<string> expected, TimeProvider clock) : SessionWatch
{
    public const int MaxDetail = 1000;

    private readonly Queue<string> _ahead = new(expected);
    private readonly List<CheckStep> _taken = [];
    private long _since = clock.GetTimestamp();
    private string? _refusal;

    public bool HasFailed => _taken is [.., { Ok: false }];

    /// <summary>The step went well.</summary>
    public override void Reached(string step, string detail)
    {
        // what came with an earlier one is not told apart from it
        while (!HasFailed && _ahead.TryDequeue(out var next))
        {
            if (next == step)
            {
                Take(step, true, detail);
                return;
            }
        }
    }

    public override void Refused(string reason) => _refusal = reason;

    /// <summary>The next step failed, or the one that is named.</summary>
    public void Fail(string detail, string? step = null)
    {
        if (!HasFailed && (step ?? _ahead.FirstOrDefault()) is { } name)
        {
            Take(name, false, name == StepName.Tls ? _refusal ?? detail : detail);
        }
    }

    public CheckReport ToReport() => new(!HasFailed && _ahead.Count == 0, _taken);

    private void Take(string step, bool isOk, string detail)
    {
        var now = clock.GetTimestamp();
        var seconds = Math.Round(clock.GetElapsedTime(_since, now).TotalSeconds, 3);
        var told = detail.Length <= MaxDetail ? detail : detail[..(MaxDetail - 1)] + "…";
        _taken.Add(new CheckStep(step, isOk, told, seconds));
        _since = now;
    }
}
