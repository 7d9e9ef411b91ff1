namespace Bellhop.Infrastructure.Background;

/// <summary>Whether this process is on its way out and wants no new callers.</summary>
public sealed class Drain
{
    // set once by the signal's thread, read by every probe
    private volatile bool _isDraining;

    public bool IsDraining => _isDraining;

    public void Begin() => _isDraining = true;
}
