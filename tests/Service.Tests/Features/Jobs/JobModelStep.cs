using CsCheck;

namespace Bellhop.Tests.Features.Jobs;

/// <summary>What may happen to jobs.</summary>
internal enum Happening
{
    Enqueue,
    EnqueueKeyed,
    EnqueueChild,
    Claim,
    ClaimAgain,
    Beat,
    Finish,
    FinishStale,
    FinishForged,
    Cancel,
    Retry,
    RunNow,
    Hold,
    Free,
    Lose,
    EndGrace,
    MissStart,
    PassTime,
    EndKey,
    Pause,
    Limit,
}

/// <param name="Dice">Decides the details: which job, which outcome.</param>
internal sealed record Step(Happening What, int Dice)
{
    public static readonly Gen<Step> Any = Gen.Select(
        Gen.Frequency(
            (8, Gen.Const(Happening.Enqueue)),
            (6, Gen.Const(Happening.EnqueueKeyed)),
            (7, Gen.Const(Happening.EnqueueChild)),
            (14, Gen.Const(Happening.Claim)),
            (2, Gen.Const(Happening.ClaimAgain)),
            (4, Gen.Const(Happening.Beat)),
            (16, Gen.Const(Happening.Finish)),
            (3, Gen.Const(Happening.FinishStale)),
            (1, Gen.Const(Happening.FinishForged)),
            (4, Gen.Const(Happening.Cancel)),
            (5, Gen.Const(Happening.Retry)),
            (3, Gen.Const(Happening.RunNow)),
            (3, Gen.Const(Happening.Hold)),
            (4, Gen.Const(Happening.Free)),
            (5, Gen.Const(Happening.Lose)),
            (2, Gen.Const(Happening.EndGrace)),
            (2, Gen.Const(Happening.MissStart)),
            (6, Gen.Const(Happening.PassTime)),
            (2, Gen.Const(Happening.EndKey)),
            (2, Gen.Const(Happening.Pause)),
            (3, Gen.Const(Happening.Limit))
        ),
        Gen.Int[0, int.MaxValue],
        (what, dice) => new Step(what, dice)
    );
}
