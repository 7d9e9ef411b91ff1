using System.Text;
using Bellhop.Features.Accounts;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class TotpTests
{
    private static readonly byte[] Secret = Encoding.ASCII.GetBytes("12345678901234567890");

    // RFC 6238 appendix B
    [Theory]
    [InlineData(59, "94287082")]
    [InlineData(1111111109, "07081804")]
    [InlineData(1111111111, "14050471")]
    [InlineData(1234567890, "89005924")]
    [InlineData(2000000000, "69279037")]
    [InlineData(20000000000, "65353130")]
    public void Codes_are_those_of_the_RFC(long seconds, string code)
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(seconds);

        Assert.Equal(code, Totp.CodeAt(Secret, Totp.StepAt(now), 8));
        Assert.Equal(Totp.StepAt(now), Totp.StepOf(Secret, code[2..], now));
    }

    // RFC 4226 appendix D
    [Fact]
    public void And_those_of_HOTP() =>
        Assert.Equal(
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"],
            Enumerable.Range(0, 10).Select(step => Totp.CodeAt(Secret, step))
        );

    [Theory]
    [InlineData(-2, false)]
    [InlineData(-1, true)]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void A_clock_may_be_a_step_away(int steps, bool isTaken)
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(1_234_567_890);

        Assert.Equal(isTaken, Totp.StepOf(Secret, Totp.CodeAt(Secret, Totp.StepAt(now) + steps), now) is not null);
    }

    // RFC 4648 section 10
    [Theory]
    [InlineData("f", "MY")]
    [InlineData("fo", "MZXQ")]
    [InlineData("foobar", "MZXW6YTBOI")]
    public void A_secret_is_told_in_base32(string text, string base32) =>
        Assert.Equal(base32, Totp.ToBase32(Encoding.ASCII.GetBytes(text)));
}
