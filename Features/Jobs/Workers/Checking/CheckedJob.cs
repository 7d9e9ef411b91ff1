namespace Bellhop.Features.Jobs.Workers.Checking;

/// <summary>Instead of an answer.</summary>
/// <param name="Status">Null: the connection breaks off.</param>
internal sealed record Fault(int? Status = null, int? RetryAfterSeconds = null);

/// <summary>A job that the conformance kit gives to a worker, and what the worker did with it. Under the stage's lock.</summary>
/// <param name="seconds">How long its handler takes.</param>
internal sealed class CheckedJob(double seconds)
{
    public const int LeaseSeconds = 6;

    public Guid Id { get; } = Guid.CreateVersion7();

    public string Lease { get; } = new Lease(1, Guid.NewGuid()).ToString();

    public double Seconds { get; } = seconds;

    public int? DeadlineSeconds { get; init; }

    /// <summary>Decides about a beat: a status, or no answer. Null: ok.</summary>
    public Func<object?>? OnBeat { get; set; }

    /// <summary>Decides about an end: a status, or no answer. Null: accepted, and duplicate from then on.</summary>
    public Func<object?>? OnEnd { get; set; }

    /// <summary>When it was given, with the first answer that had it.</summary>
    public TimeSpan? TakenAt { get; set; }

    public Guid? ClaimKey { get; set; }

    public List<TimeSpan> Beats { get; } = [];

    public List<(TimeSpan At, EndDocument End)> Ends { get; } = [];

    /// <summary>When its handler had its effect.</summary>
    public TimeSpan? EffectAt { get; set; }

    /// <summary>Whether the worker was told that its word about it counts.</summary>
    public bool IsOver { get; set; }

    public string? Outcome => Ends.Count == 0 ? null : Ends[^1].End.Outcome;
}
