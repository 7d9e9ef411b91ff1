using Bellhop.Features.Events;
using CsCheck;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class EventTypePatternTests
{
    [Theory]
    [InlineData("github.push", "github.push", true)]
    [InlineData("github.push", "github.pushed", false)]
    [InlineData("github.issues.*", "github.issues.opened", true)]
    [InlineData("github.issues.*", "github.issues.a.b", true)]
    [InlineData("github.issues.*", "github.issues", false)]
    [InlineData("github.issues.*", "github.issues.", false)]
    [InlineData("github.issues.*", "github.issuesx.opened", false)]
    [InlineData("*", "anything", true)]
    [InlineData("*", "a.b.c", true)]
    [InlineData("Github.push", "github.push", false)]
    public void A_pattern_means_what_it_says(string pattern, string type, bool expected) =>
        Assert.Equal(expected, EventTypePattern.Parse(pattern)!.Matches(type));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(".*")]
    [InlineData("a*")]
    [InlineData("*.a")]
    [InlineData("a.*.b")]
    [InlineData("a.**")]
    [InlineData("a b")]
    [InlineData("a\n")]
    public void What_is_no_pattern_is_refused(string? text) => Assert.Null(EventTypePattern.Parse(text));

    [Fact]
    public void A_pattern_is_255_characters_at_most()
    {
        Assert.NotNull(EventTypePattern.Parse(new string('a', 255)));
        Assert.Null(EventTypePattern.Parse(new string('a', 256)));
    }

    [Fact]
    public void The_index_finds_whom_the_patterns_mean()
    {
        var segment = Gen.Int[0, 2].Select(index => "abc"[index].ToString());
        var type = segment.Array[1, 4].Select(segments => string.Join('.', segments));
        var pattern = Gen.OneOf(type, type.Select(text => text + ".*"), Gen.Const("*"))
            .Select(text => EventTypePattern.Parse(text)!);
        Gen.Select(pattern.Array[1, 3].Array[0, 6], type)
            .Sample(
                (targets, given) =>
                {
                    var index = new EventTypeIndex<int>(
                        targets.Select((patterns, number) => (number, (IReadOnlyCollection<EventTypePattern>)patterns))
                    );
                    var expected = Enumerable
                        .Range(0, targets.Length)
                        .Where(number => targets[number].Any(one => one.Matches(given)));
                    Assert.Equal(expected, index.Find(given));
                }
            );
    }
}
