using System.Text;
using Bellhop.Features.Webhooks;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class SignatureTests
{
    // the example of the Standard Webhooks specification
    private const string Id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    private const long Timestamp = 1614265330;
    private const string Body = "{\"test\": 2432232314}";
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string Expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    private static readonly byte[] Key = EndpointSecret.KeyOf(Secret)!;

    [Fact]
    public void The_specifications_example_is_signed_as_it_says() =>
        Assert.Equal(Expected, Signature.Sign(Id, Timestamp, Encoding.UTF8.GetBytes(Body), [Key]));

    [Fact]
    public void Each_key_gives_a_signature_separated_by_a_space()
    {
        var signed = Signature.Sign(Id, Timestamp, Encoding.UTF8.GetBytes(Body), [new byte[32], Key]).Split(' ');

        Assert.Equal(2, signed.Length);
        Assert.Equal(Expected, signed[1]);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [InlineData("whsec_")]
    [InlineData("whsec_AAAA")]
    [InlineData("whsec_not base64 at all, and long enough")]
    public void What_is_no_secret_has_no_key(string? secret) => Assert.Null(EndpointSecret.KeyOf(secret));

    [Fact]
    public void A_key_is_24_to_64_bytes()
    {
        Assert.NotNull(EndpointSecret.KeyOf("whsec_" + Convert.ToBase64String(new byte[64])));
        Assert.Null(EndpointSecret.KeyOf("whsec_" + Convert.ToBase64String(new byte[65])));
        Assert.Null(EndpointSecret.KeyOf("whsec_" + Convert.ToBase64String(new byte[500])));
    }
}
