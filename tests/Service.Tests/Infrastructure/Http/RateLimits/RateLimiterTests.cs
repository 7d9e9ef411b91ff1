using System.Net;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http.RateLimits;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http.RateLimits;

public sealed class RateLimiterTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void All_requests_may_come_at_once_and_then_one_each_interval()
    {
        var limiter = Limiter(20, 60);

        Assert.All(Enumerable.Range(1, 20), n => Assert.Equal((true, 20 - n), Take(limiter)));
        var refused = limiter.Take(1);
        Assert.False(refused.IsTaken);
        Assert.Equal((3, 60), (refused.WaitSeconds, refused.FullSeconds));

        _clock.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal((true, 0), Take(limiter));
        Assert.False(limiter.Take(1).IsTaken);

        _clock.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal((true, 19), Take(limiter));
    }

    [Fact]
    public void A_refused_request_costs_nothing()
    {
        var limiter = Limiter(1, 10);
        limiter.Take(1);
        Assert.All(Enumerable.Range(0, 1000), _ => Assert.False(limiter.Take(1).IsTaken));

        _clock.Advance(TimeSpan.FromSeconds(10));

        Assert.True(limiter.Take(1).IsTaken);
    }

    [Fact]
    public void Each_subject_has_a_bucket_of_its_own()
    {
        var limiter = Limiter(1, 10);

        Assert.True(limiter.Take(1).IsTaken);
        Assert.True(limiter.IsExhausted(1));
        Assert.False(limiter.IsExhausted(2));
        Assert.True(limiter.Take(2).IsTaken);
    }

    [Fact]
    public void Of_many_at_once_no_more_than_are_allowed_get_through()
    {
        var limiter = Limiter(1000, 60);
        var taken = 0;
        Parallel.For(
            0,
            20_000,
            _ =>
            {
                if (limiter.Take(7).IsTaken)
                {
                    Interlocked.Increment(ref taken);
                }
            }
        );

        Assert.Equal(1000, taken);
    }

    [Fact]
    public void In_any_span_of_time_no_more_pass_than_the_bucket_holds_and_what_flows_in() =>
        Gen.Select(Gen.Int[1, 50], Gen.Int[1, 20], Gen.Int[0, 3000].Array[1, 200])
            .Sample(
                (requests, seconds, pauses) =>
                {
                    var clock = new FakeTimeProvider();
                    var limiter = new RateLimiter("key", "reads", new RateLimit(requests, seconds), true, clock);
                    var began = clock.GetTimestamp();
                    var taken = 0;
                    foreach (var pause in pauses)
                    {
                        clock.Advance(TimeSpan.FromMilliseconds(pause));
                        taken += limiter.Take(1).IsTaken ? 1 : 0;
                        var flown = clock.GetElapsedTime(began).TotalSeconds * requests / seconds;
                        if (taken > requests + flown + 0.001)
                        {
                            return false;
                        }
                    }

                    return true;
                },
                iter: 500
            );

    [Fact]
    public void Full_buckets_are_forgotten()
    {
        var limiter = Limiter(5, 10);
        for (var subject = 0; subject < 5000; subject++)
        {
            limiter.Take((UInt128)subject);
        }

        _clock.Advance(TimeSpan.FromSeconds(20));
        for (var subject = 10_000; subject < 15_100; subject++)
        {
            limiter.Take((UInt128)subject);
        }

        Assert.InRange(limiter.Count, 5100, 8000);
    }

    [Fact]
    public void Past_the_capacity_newcomers_share_buckets_and_memory_stays_as_it_is()
    {
        var limiter = Limiter(1, 3600);
        for (var subject = 0; subject < RateLimiter.Capacity; subject++)
        {
            Assert.True(limiter.Take((UInt128)subject).IsTaken);
        }

        var through = Enumerable.Range(1_000_000, 50_000).Count(subject => limiter.Take((UInt128)subject).IsTaken);

        Assert.Equal(RateLimiter.Capacity, limiter.Count);
        Assert.InRange(through, 1, 5000);
        Assert.False(limiter.Take(1).IsTaken); // who was known is known
    }

    [Theory]
    [InlineData("203.0.113.9", "203.0.113.9", true)]
    [InlineData("203.0.113.9", "::ffff:203.0.113.9", true)]
    [InlineData("203.0.113.9", "203.0.113.10", false)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    public void IPv4_counts_by_address_and_IPv6_by_64_bits(string one, string other, bool isSame) =>
        Assert.Equal(isSame, RateSubject.Of(IPAddress.Parse(one)) == RateSubject.Of(IPAddress.Parse(other)));

    private static (bool, int) Take(RateLimiter limiter)
    {
        var verdict = limiter.Take(1);
        return (verdict.IsTaken, verdict.Remaining);
    }

    private RateLimiter Limiter(int requests, int seconds) =>
        new("key", "reads", new RateLimit(requests, seconds), true, _clock);
}
