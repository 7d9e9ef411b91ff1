using Bellhop.Features.Webhooks;
using Bellhop.Infrastructure.Outgoing;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class VerdictTests
{
    [Theory]
    [InlineData(200, null, null)]
    [InlineData(204, null, null)]
    [InlineData(299, OutgoingErrors.BodyReadFailed, null)]
    [InlineData(301, OutgoingErrors.RedirectNotFollowed, OutgoingErrors.RedirectNotFollowed)]
    [InlineData(304, OutgoingErrors.RedirectNotFollowed, OutgoingErrors.RedirectNotFollowed)]
    [InlineData(404, null, "http_status")]
    [InlineData(500, OutgoingErrors.Timeout, "http_status")]
    [InlineData(410, null, "gone")]
    [InlineData(null, OutgoingErrors.DnsFailed, OutgoingErrors.DnsFailed)]
    public void Only_2xx_is_success_and_a_failure_has_one_code(int? status, string? error, string? expected)
    {
        var verdict = Judge(new OutgoingResponse { Status = status, ErrorCode = error });

        Assert.Equal(expected, verdict.Error);
        Assert.Equal(
            expected is null ? "succeeded"
                : expected == "gone" ? "failed"
                : "pending",
            verdict.State
        );
    }

    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 300)]
    [InlineData(3, 1_800)]
    [InlineData(9, 86_400)]
    public void Attempts_follow_the_schedule_of_Standard_Webhooks(int attempt, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Judge(Failure(), attempt).RetryAfter);

    [Fact]
    public void The_tenth_attempt_is_the_last()
    {
        Assert.Equal("pending", Judge(Failure(), 9).State);
        Assert.Equal("failed", Judge(Failure(), 10).State);
    }

    [Fact]
    public void The_delay_varies_by_a_fifth()
    {
        Assert.Equal(4, Judge(Failure(), random: 0).RetryAfter?.TotalSeconds);
        Assert.Equal(6, Judge(Failure(), random: 1).RetryAfter!.Value.TotalSeconds, 0.001);
    }

    [Theory]
    [InlineData(2, 5)]
    [InlineData(120, 120)]
    [InlineData(999_999, 86_400)]
    public void A_receiver_may_ask_for_more_time_up_to_a_day(int asked, int expected) =>
        Assert.Equal(expected, Judge(Failure() with { RetryAfterSeconds = asked }).RetryAfter?.TotalSeconds);

    [Fact]
    public void No_attempt_is_made_after_seven_days() =>
        Assert.Equal("failed", Judge(Failure(), age: TimeSpan.FromDays(7)).State);

    private static OutgoingResponse Failure() => new() { Status = 503 };

    private static Verdict Judge(
        OutgoingResponse response,
        int attempt = 1,
        double random = 0.5,
        TimeSpan age = default
    ) => Verdict.Of(response, attempt, age, RetrySchedule.Default, random);
}
