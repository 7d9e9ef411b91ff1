using Bellhop.Infrastructure.Background;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Background;

public sealed class RestTests
{
    private readonly Rest _rest = new(times: 20, shortest: Seconds(1), longest: Seconds(10));

    [Fact]
    public void It_is_as_long_as_looks_that_go_on_being_slow_say_and_has_bounds()
    {
        Assert.Equal(Seconds(1), _rest.After(Seconds(0.01)));
        Assert.Equal(Seconds(1), _rest.After(Seconds(0.2)));
        Assert.Equal(Seconds(4), _rest.After(Seconds(0.3)));
        Assert.Equal(Seconds(6), _rest.After(Seconds(5)));
        Assert.Equal(Seconds(10), _rest.After(Seconds(5)));
        Assert.Equal(Seconds(2), _rest.After(Seconds(0.1)));
    }

    [Fact]
    public void One_look_that_stalls_is_not_what_looks_cost()
    {
        _rest.After(Seconds(0.01));

        Assert.Equal(Seconds(1), _rest.After(Seconds(9)));
        Assert.Equal(Seconds(1), _rest.After(Seconds(0.01)));
    }

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);
}
