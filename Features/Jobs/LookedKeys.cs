namespace Bellhop.Features.Jobs;

/// <summary>How far this process has looked for keys that no job holds.</summary>
internal sealed class LookedKeys
{
    public (Guid ProjectId, string Key) Last { get; set; } = (Guid.Empty, "");
}
