namespace Bellhop.Features.Jobs;

/// <summary>How far this process has looked for jobs that wait for what is no more.</summary>
internal sealed class LookedEdges
{
    public (Guid ProjectId, Guid ParentId, Guid ChildId) Last { get; set; }
}
