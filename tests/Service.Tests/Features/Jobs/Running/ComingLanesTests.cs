using Bellhop.Features.Jobs.Running;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Running;

public sealed class ComingLanesTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void Whoever_takes_them_is_woken_as_each_time_comes()
    {
        var woken = 0;
        using var coming = new ComingLanes(_clock, () => woken++);
        coming.Keep(Of("late"), TimeSpan.FromSeconds(3));
        coming.Keep(Of("soon"), TimeSpan.FromSeconds(1));
        Assert.Empty(coming.TakeDue());

        Pass(1);
        Assert.Equal((1, "soon"), (woken, Assert.Single(coming.TakeDue()).Name));
        Pass(1);
        Assert.Equal(1, woken);
        Pass(1);

        Assert.Equal((2, "late"), (woken, Assert.Single(coming.TakeDue()).Name));
        Pass(60);
        Assert.Equal(2, woken);
        Assert.Empty(coming.TakeDue());
    }

    [Fact]
    public void A_lane_is_looked_at_once_and_at_the_soonest_time_that_was_told()
    {
        using var coming = new ComingLanes(_clock, () => { });
        foreach (var seconds in (int[])[5, 2, 9])
        {
            coming.Keep(Of("a"), TimeSpan.FromSeconds(seconds));
        }

        Pass(2);
        Assert.Single(coming.TakeDue());
        Pass(60);
        Assert.Empty(coming.TakeDue());
    }

    [Fact]
    public void Of_too_many_the_soonest_are_kept()
    {
        using var coming = new ComingLanes(_clock, () => { }, maxLanes: 2);
        foreach (var seconds in (int[])[4, 2, 3, 1, 5])
        {
            coming.Keep(Of($"{seconds}"), TimeSpan.FromSeconds(seconds));
        }

        Pass(60);
        Assert.Equal(["1", "2"], coming.TakeDue().Select(lane => lane.Name));
    }

    private static Lane Of(string name) => new(Guid.Empty, 1, name);

    private void Pass(int seconds) => _clock.Advance(TimeSpan.FromSeconds(seconds));
}
