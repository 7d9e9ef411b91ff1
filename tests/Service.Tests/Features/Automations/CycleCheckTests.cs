using Bellhop.Features.Automations;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class CycleCheckTests
{
    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("a", "b", false)]
    [InlineData("a.*", "a.b", true)]
    [InlineData("a.*", "a", false)]
    [InlineData("*", "b", true)]
    [InlineData("a.b", "a.${event.data.x}", true)]
    [InlineData("b.a", "a.${event.data.x}", false)]
    [InlineData("a.b.*", "a.${event.data.x}", true)]
    [InlineData("a.*", "a.b.${event.data.x}", true)]
    [InlineData("b.*", "a.b.${event.data.x}", false)]
    [InlineData("b", "${event.type}", true)]
    public void One_that_may_start_itself_is_found(string on, string emits, bool warned) =>
        Assert.Equal(warned ? 1 : 0, CycleCheck.Of("one", [Document("one", on, emits)]).Count);

    [Fact]
    public void The_way_back_is_the_shortest_and_passes_only_those_on_it()
    {
        var warnings = CycleCheck.Of(
            "one",
            [
                Document("one", "a", "b"),
                Document("two", "b", "c"),
                Document("three", "c", "a"),
                Document("aside", "b", "d"),
                Document("loop", "d", "d"),
            ]
        );

        Assert.Equal(["one", "two", "three", "one"], Assert.Single(warnings).Automations);
    }

    private static AutomationDocument Document(string name, string on, string emits) =>
        AutomationDocument.Read(
            $$"""{"name":"{{name}}","on":{"type":["{{on}}"]},"steps":[{"id":"s","uses":"emit","with":{"type":"{{emits}}"} }]}"""
        );
}
