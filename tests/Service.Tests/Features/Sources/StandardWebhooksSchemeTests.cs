using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Bellhop.Features.Sources;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace Bellhop.Tests.Features.Sources;

public sealed class StandardWebhooksSchemeTests
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private static readonly StandardWebhooksScheme Scheme = new();
    private static readonly byte[] Key = Scheme.KeyOf(Secret)!;
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_614_265_330);

    [Fact]
    public void The_vector_of_the_reference_libraries_verifies()
    {
        var request = new InboundRequest(
            """{"test": 2432232314}"""u8.ToArray(),
            new HeaderDictionary
            {
                ["webhook-id"] = "msg_p5jXN8AQM9LWM0D4loKWxJek",
                ["webhook-timestamp"] = "1614265330",
                ["webhook-signature"] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            }
        );

        Assert.Null(Verify(request));
    }

    [Fact]
    public void Svixs_names_of_the_headers_are_taken_too()
    {
        var request = Signed("{}");
        var svix = new HeaderDictionary();
        foreach (var (name, value) in request.Headers)
        {
            svix[name.Replace("webhook-", "svix-", StringComparison.Ordinal)] = value;
        }

        Assert.Null(Verify(request with { Headers = svix }));
        Assert.Equal("missing_header", Verify(request with { Headers = new HeaderDictionary() })?.Reason);
    }

    [Theory]
    [InlineData(-301, "stale_timestamp")]
    [InlineData(-300, null)]
    [InlineData(300, null)]
    [InlineData(301, "stale_timestamp")]
    public void A_signature_holds_five_minutes_either_way(int seconds, string? reason) =>
        Assert.Equal(reason, Verify(Signed("{}", Now.AddSeconds(seconds)))?.Reason);

    [Fact]
    public void One_of_several_signatures_must_fit()
    {
        var request = Signed("{}");
        var good = request.Headers["webhook-signature"].ToString();
        var other = "v1," + Convert.ToBase64String(new byte[32]);

        Assert.Null(With($"{other} {good}"));
        Assert.Null(With($"v1a,AAAA v2,x nonsense {good}"));
        Assert.Equal("wrong_signature", With(other)?.Reason);
        Assert.Equal("wrong_signature", With(good["v1,".Length..])?.Reason);
        Assert.Equal("wrong_signature", With("v1a" + good["v1".Length..])?.Reason);
        Assert.Equal("wrong_signature", With(good[..^2])?.Reason);

        Rejection? With(string signatures)
        {
            request.Headers["webhook-signature"] = signatures;
            return Verify(request);
        }
    }

    [Fact]
    public void Ten_signatures_are_looked_at()
    {
        var request = Signed("{}");
        var good = request.Headers["webhook-signature"].ToString();
        var others = string.Concat(Enumerable.Repeat("v1," + Convert.ToBase64String(new byte[32]) + " ", 9));

        request.Headers["webhook-signature"] = others + good;
        Assert.Null(Verify(request));
        request.Headers["webhook-signature"] = others + "v1,x " + good;
        Assert.Equal("wrong_signature", Verify(request)?.Reason);
    }

    [Fact]
    public void Any_of_the_sources_keys_will_do()
    {
        var request = Signed("{}");

        Assert.Null(Scheme.Verify(request, [new byte[24], Key], Now));
        Assert.Equal("wrong_signature", Scheme.Verify(request, [new byte[24]], Now)?.Reason);
        Assert.Equal("wrong_signature", Scheme.Verify(request, [], Now)?.Reason);
    }

    [Fact]
    public void A_capture_that_is_cut_anew_is_refused_though_its_signature_is_valid()
    {
        // id.timestamp.body with the body "1614265330.{}": signed an hour ago, cut so that the timestamp is fresh
        var captured = Signed("1614265330.{}", Now.AddHours(-1));
        captured.Headers["webhook-id"] = $"{captured.Headers["webhook-id"]}.{captured.Headers["webhook-timestamp"]}";
        captured.Headers["webhook-timestamp"] = "1614265330";

        Assert.Equal("malformed_header", Verify(captured with { Body = "{}"u8.ToArray() })?.Reason);
    }

    [Theory]
    [InlineData("webhook-timestamp", "-1614265330")]
    [InlineData("webhook-timestamp", "+1614265330")]
    [InlineData("webhook-timestamp", "1614265330.0")]
    [InlineData("webhook-timestamp", " 1614265330")]
    [InlineData("webhook-timestamp", "١٦١٤٢٦٥٣٣٠")]
    [InlineData("webhook-timestamp", "161426533000")]
    [InlineData("webhook-id", "msg.1")]
    [InlineData("webhook-id", "msg 1")]
    public void Ids_and_timestamps_that_are_not_plain_are_refused(string header, string value)
    {
        var request = Signed("{}");
        request.Headers[header] = value;

        Assert.Equal("malformed_header", Verify(request)?.Reason);
    }

    [Theory]
    [InlineData("webhook-id")]
    [InlineData("webhook-timestamp")]
    [InlineData("webhook-signature")]
    public void Each_header_must_stand_once(string header)
    {
        var request = Signed("{}");
        var value = request.Headers[header].ToString();
        request.Headers[header] = new StringValues([value, value]);
        Assert.Equal("repeated_header", Verify(request)?.Reason);

        request.Headers.Remove(header);
        Assert.Equal("missing_header", Verify(request)?.Reason);
    }

    [Fact]
    public void Type_time_and_data_come_from_the_body()
    {
        var inbound = Scheme
            .Read(
                Signed("""{"data": {"n": 1.0},"timestamp":"2026-01-31T09:30:00Z","type":"user.created","more":[{}]}""")
            )
            .Unwrap();

        Assert.Equal(
            new InboundEvent(
                "user.created",
                "msg_1",
                new DateTime(2026, 1, 31, 9, 30, 0, DateTimeKind.Utc),
                """{"n": 1.0}"""
            ),
            inbound
        );
        Assert.Equal(
            new InboundEvent("t", "msg_1", null, null),
            Scheme.Read(Signed("""{"type":"t","timestamp":"once"}""")).Unwrap()
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"type":7}""")]
    [InlineData("""{"type":""}""")]
    [InlineData("""{"type":"a\nb"}""")]
    [InlineData("""{"type":"a.*"}""")]
    [InlineData("""{"type":"t","type":"t"}""")]
    public void A_body_without_a_type_is_no_event(string body) =>
        Assert.Contains(Scheme.Read(Signed(body)).Problem?.Kind.Code, new[] { "malformed_body", "invalid" });

    [Theory]
    [InlineData(23, false)]
    [InlineData(24, true)]
    [InlineData(64, true)]
    [InlineData(65, false)]
    public void A_secret_is_24_to_64_bytes(int bytes, bool isOne) =>
        Assert.Equal(isOne, Scheme.KeyOf("whsec_" + Convert.ToBase64String(new byte[bytes])) is not null);

    [Theory]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [InlineData("whsec_!!!!")]
    [InlineData("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    public void A_secret_is_whsec_and_base64(string secret) => Assert.Null(Scheme.KeyOf(secret));

    private static Rejection? Verify(InboundRequest request) => Scheme.Verify(request, [Key], Now);

    private static InboundRequest Signed(string body, DateTimeOffset? at = null) =>
        Signed(body, "msg_1", at ?? Now, Key);

    internal static InboundRequest Signed(string body, string id, DateTimeOffset at, byte[] key)
    {
        var timestamp = at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var signature = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{id}.{timestamp}.{body}"));
        return new InboundRequest(
            Encoding.UTF8.GetBytes(body),
            new HeaderDictionary
            {
                ["webhook-id"] = id,
                ["webhook-timestamp"] = timestamp,
                ["webhook-signature"] = $"v1,{Convert.ToBase64String(signature)}",
            }
        );
    }
}
