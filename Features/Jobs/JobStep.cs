namespace Bellhop.Features.Jobs;

/// <summary>Where a job is, for those who wait for it to move.</summary>
/// <param name="Tag">Another one after each change.</param>
/// <param name="Shown">What it looks like to those who follow it.</param>
public sealed record JobStep(string Tag, bool IsOver, ShownStep Shown)
{
    /// <summary>By the tag: a step that is looked at again is the same one.</summary>
    public bool Equals(JobStep? other) => Tag == other?.Tag;

    public override int GetHashCode() => Tag.GetHashCode(StringComparison.Ordinal);
}

/// <summary>The text that a step of a job is told with: read once for all who are told at the same time, however many they are.</summary>
public sealed class ShownStep
{
    private static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();

    // under the lock: one for callers who may see data, one for those who may not
    private readonly (long At, Task<byte[]?>? Text)[] _shown = new (long, Task<byte[]?>?)[2];

    /// <summary>What was read since the step was taken, and no more than a quarter of a second ago.</summary>
    /// <param name="read">Reads it for the first who asks; it is not canceled when that one goes.</param>
    internal Task<byte[]?> ReadAsync(bool withData, TimeProvider clock, Guid id, Func<Guid, Task<byte[]?>> read)
    {
        lock (_lock)
        {
            ref var shown = ref _shown[withData ? 1 : 0];
            if (shown.Text is null || clock.GetElapsedTime(shown.At) > Fresh)
            {
                shown = (clock.GetTimestamp(), Task.Run(() => read(id)));
            }

            return shown.Text!;
        }
    }
}
