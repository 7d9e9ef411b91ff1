using Xunit;

namespace Bellhop.Tests.Architecture;

/// <summary>Who may know whom, read from the compiled code.</summary>
public sealed class DependencyRules
{
    /// <summary>The only edges between features. Adding one is a design decision: add it here, in the same commit.</summary>
    private static readonly string[] AllowedEdges =
    [
        "Accounts -> ApiKeys",
        "Accounts -> Connections",
        "Accounts -> Jobs",
        "Automations -> Connections",
        "Automations -> Events",
        "Automations -> Jobs",
        "Automations -> Secrets",
        "Connections -> Jobs",
        "Connections -> Secrets",
        "Sources -> Events",
        "System -> ApiKeys",
        "Webhooks -> Events",
        "Webhooks -> Jobs",
    ];

    [Fact]
    public void The_scan_sees_the_service() =>
        Assert.True(CompiledCode.Edges.Count > 100, $"{CompiledCode.Edges.Count} edges");

    [Fact]
    public void Infrastructure_knows_no_feature() =>
        Assert.DoesNotContain(CompiledCode.Edges, edge => edge.From.IsInfrastructure && edge.To.Feature is not null);

    [Fact]
    public void No_slice_is_known_outside_itself() =>
        Assert.DoesNotContain(CompiledCode.Edges, edge => edge.To.Slice is not null && edge.From.IsInService);

    [Fact]
    public void Features_know_each_other_only_as_agreed()
    {
        var found = CompiledCode
            .Edges.Where(edge => edge.From.Feature is not null && edge.To.Feature is not null)
            .Where(edge => edge.From.Feature != edge.To.Feature)
            .Select(edge => $"{edge.From.Feature} -> {edge.To.Feature}")
            .Distinct()
            .Order(StringComparer.Ordinal);

        Assert.Equal(AllowedEdges, found);
    }
}
