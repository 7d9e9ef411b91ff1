using System.Globalization;
using System.Net;
using Bellhop.Infrastructure.Auth;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Auth;

public sealed class HoursTests
{
    [Theory]
    [InlineData("08:00", "17:00", null, "2026-11-27T07:00:00Z", true)] // 08:00 in Berlin
    [InlineData("08:00", "17:00", null, "2026-11-27T06:59:59Z", false)]
    [InlineData("08:00", "17:00", null, "2026-11-27T16:00:00Z", false)] // until is exclusive
    [InlineData("08:00", "17:00", null, "2026-07-27T06:00:00Z", true)] // summer
    [InlineData("22:00", "06:00", null, "2026-11-27T22:00:00Z", true)] // over midnight
    [InlineData("22:00", "06:00", null, "2026-11-27T06:00:00Z", false)]
    [InlineData("22:00", "06:00", "fri", "2026-11-28T03:00:00Z", true)] // began on Friday
    [InlineData("22:00", "06:00", "sat", "2026-11-28T03:00:00Z", false)]
    [InlineData("08:00", "17:00", "fri", "2026-11-27T09:00:00Z", true)]
    [InlineData("08:00", "17:00", "mon", "2026-11-27T09:00:00Z", false)]
    [InlineData("02:00", "04:00", null, "2026-03-29T01:30:00Z", true)] // the night without a half past two: 03:30
    [InlineData("02:00", "03:00", null, "2026-10-25T00:30:00Z", true)] // the night with two of them: 02:30 in summer time
    [InlineData("02:00", "03:00", null, "2026-10-25T01:30:00Z", true)] // and 02:30 in winter time
    [InlineData("02:00", "03:00", null, "2026-10-25T02:00:00Z", false)]
    public void Hours_hold_in_their_time_zone(string from, string until, string? day, string at, bool hold)
    {
        var hours = new Hours(from, until, "Europe/Berlin", day is null ? null : [day]);

        Assert.Equal(hold, hours.Hold(DateTimeOffset.Parse(at, CultureInfo.InvariantCulture)));
    }

    [Theory]
    [InlineData("09:00", "12:00", null, true)]
    [InlineData("07:00", "12:00", null, false)]
    [InlineData("08:00", "17:00", "mon", true)]
    [InlineData("22:00", "06:00", null, false)]
    public void Narrower_hours_are_within(string from, string until, string? day, bool isWithin)
    {
        var wide = new Hours("08:00", "17:00", "Europe/Berlin");

        Assert.Equal(isWithin, new Hours(from, until, "Europe/Berlin", day is null ? null : [day]).AreWithin(wide));
        Assert.False(new Hours(from, until, "UTC").AreWithin(wide));
    }

    [Theory]
    [InlineData("::ffff:10.1.2.3", true)]
    [InlineData("10.1.2.3", true)]
    [InlineData("11.1.2.3", false)]
    [InlineData("2001:db8::1", true)]
    [InlineData("2001:db9::1", false)]
    public void An_address_is_looked_for_in_either_family(string address, bool isWithin)
    {
        var access = new Access { AllowNetworks = ["10.0.0.0/8", "2001:db8::/32"] };

        Assert.Equal(isWithin, access.Refuses(IPAddress.Parse(address), DateTimeOffset.UnixEpoch) is null);
    }
}
