using Bellhop.Features.Jobs.Running;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>The turn of claims that begin with one queue: whoever has it goes on where the last one ended.</summary>
internal sealed class QueueTurn
{
    public SemaphoreSlim Free { get; } = new(1);

    /// <summary>Where the last claim ended.</summary>
    public ClaimCursors Cursors { get; } = new();

    /// <summary>When a claim looked at all there was.</summary>
    public long LookedAt { get; set; }

    /// <summary>How many signals there had been then.</summary>
    public long Signals { get; set; }
}
