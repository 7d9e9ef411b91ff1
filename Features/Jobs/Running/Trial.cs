namespace Bellhop.Features.Jobs.Running;

/// <summary>A job that was lost twice is on trial: whoever executes it holds no other that was ever lost.</summary>
internal static class Trial
{
    /// <summary>What may be claimed beside what is held: jobs that were lost less often than this.</summary>
    /// <param name="mostLost">How often that one was lost, of those held, that was lost most often; null: none is held.</param>
    public static int LostBelow(int? mostLost) =>
        mostLost switch
        {
            null or 0 => short.MaxValue,
            1 => 2,
            _ => 1,
        };
}
