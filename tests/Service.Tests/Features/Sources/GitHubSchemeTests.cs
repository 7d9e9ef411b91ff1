using System.Security.Cryptography;
using System.Text;
using Bellhop.Features.Sources;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace Bellhop.Tests.Features.Sources;

public sealed class GitHubSchemeTests
{
    private static readonly GitHubScheme Scheme = new();
    private static readonly byte[] Key = Encoding.UTF8.GetBytes("a secret of ours");

    [Fact]
    public void The_vector_of_GitHubs_documentation_verifies()
    {
        var request = new InboundRequest(
            "Hello, World!"u8.ToArray(),
            new HeaderDictionary
            {
                ["X-Hub-Signature-256"] = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
                ["X-GitHub-Delivery"] = "1",
                ["X-GitHub-Event"] = "ping",
            }
        );

        Assert.Null(Verify(request, Scheme.KeyOf("It's a Secret to Everybody")!));
    }

    [Fact]
    public void Any_of_the_sources_keys_will_do_and_hex_of_either_case()
    {
        var request = Signed("{}");
        request.Headers["X-Hub-Signature-256"] =
            "sha256=" + request.Headers["X-Hub-Signature-256"].ToString()["sha256=".Length..].ToUpperInvariant();

        Assert.Null(Verify(request, "another"u8.ToArray(), Key));
        Assert.Equal("wrong_signature", Verify(request, "another"u8.ToArray())?.Reason);
        Assert.Equal("wrong_signature", Verify(request)?.Reason);
    }

    [Fact]
    public void One_changed_byte_breaks_the_signature()
    {
        var request = Signed("""{"a":1}""");

        Assert.Equal("wrong_signature", Verify(request with { Body = """{"a":2}"""u8.ToArray() }, Key)?.Reason);
    }

    [Theory]
    [InlineData("")]
    [InlineData("sha1=0000000000000000000000000000000000000000")]
    [InlineData("sha256=757107ea")]
    [InlineData("SHA256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")]
    [InlineData("sha256=z57107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")]
    [InlineData("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17 ")]
    [InlineData("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")]
    public void What_is_no_signature_is_refused(string signature)
    {
        var request = Signed("{}");
        request.Headers["X-Hub-Signature-256"] = signature;

        Assert.Equal(signature.Length == 0 ? "missing_header" : "malformed_header", Verify(request, Key)?.Reason);
    }

    [Fact]
    public void The_old_signature_does_not_count()
    {
        var request = Signed("{}");
        request.Headers.Remove("X-Hub-Signature-256");
#pragma warning disable CA5350 // what GitHub once signed with
        request.Headers["X-Hub-Signature"] = "sha1=" + Convert.ToHexStringLower(HMACSHA1.HashData(Key, "{}"u8));
#pragma warning restore CA5350

        Assert.Equal("missing_header", Verify(request, Key)?.Reason);
    }

    [Fact]
    public void The_signature_must_stand_once()
    {
        var request = Signed("{}");
        var value = request.Headers["X-Hub-Signature-256"].ToString();
        request.Headers["X-Hub-Signature-256"] = new StringValues([value, value]);
        Assert.Equal("repeated_header", Verify(request, Key)?.Reason);

        request.Headers.Remove("X-Hub-Signature-256");
        Assert.Equal("missing_header", Verify(request, Key)?.Reason);
    }

    [Theory]
    [InlineData("X-GitHub-Delivery")]
    [InlineData("X-GitHub-Event")]
    public void What_names_the_event_must_stand_once(string header)
    {
        var request = Signed("{}");
        var value = request.Headers[header].ToString();
        request.Headers[header] = new StringValues([value, value]);
        Assert.Equal((header, "repeated_header"), FaultOf(request));

        request.Headers.Remove(header);
        Assert.Equal((header, "missing_header"), FaultOf(request));
    }

    [Theory]
    [InlineData("a.b")]
    [InlineData("a b")]
    [InlineData("é")]
    public void An_id_that_is_not_plain_is_refused(string id)
    {
        var request = Signed("{}");
        request.Headers["X-GitHub-Delivery"] = id;

        Assert.Equal(("X-GitHub-Delivery", "malformed_header"), FaultOf(request));
    }

    [Theory]
    [InlineData("issues", """{"action":"opened","n":1.0}""", "github.issues.opened")]
    [InlineData("push", """{"ref":"x"}""", "github.push")]
    [InlineData("ping", """{"zen":"x"}""", "github.ping")]
    [InlineData("Issues", """{"action":"Opened"}""", "github.issues.opened")]
    [InlineData("repository_dispatch", """{"action":"on demand.test"}""", "github.repository_dispatch.on_demand_test")]
    [InlineData("x", """{"inner":{"action":"no"},"action":null}""", "github.x")]
    [InlineData("x", """{"action":""}""", "github.x")]
    [InlineData("x", "[1]", "github.x")]
    public void The_event_is_named_by_header_and_action(string name, string body, string type)
    {
        var request = Signed(body, name);

        var inbound = Scheme.Read(request).Unwrap();

        Assert.Equal(new InboundEvent(type, "72d3162e-cc78-11e3-81ab-4c9367dc0958", null, body), inbound);
    }

    [Fact]
    public void A_form_holds_its_payload_in_one_field()
    {
        var request = Signed("payload=%7B%22action%22%3A%22opened%22%2C%22t%22%3A%22a%2Bb+%C3%A9%22%7D", "issues");
        request.Headers.ContentType = "application/x-www-form-urlencoded";

        Assert.Null(Verify(request, Key));
        var inbound = Scheme.Read(request).Unwrap();
        Assert.Equal("github.issues.opened", inbound.Type);
        Assert.Equal("""{"action":"opened","t":"a+b é"}""", inbound.Data);
    }

    [Theory]
    [InlineData("application/json", "", 400)]
    [InlineData("application/json", "{", 400)]
    [InlineData("application/json", """{"a":"\u0000"}""", 400)]
    [InlineData("application/json", """{"a":1,"a":2}""", 400)]
    [InlineData("application/x-www-form-urlencoded", "other=1", 400)]
    [InlineData("application/x-www-form-urlencoded", "payload=1&payload=2", 400)]
    [InlineData("text/plain", "{}", 415)]
    public void A_payload_that_cannot_be_an_event_is_refused(string contentType, string body, int status)
    {
        var request = Signed(body);
        request.Headers.ContentType = contentType;

        Assert.Equal(status, Scheme.Read(request).Problem?.Kind.Status);
    }

    [Theory]
    [InlineData("1234567", false)]
    [InlineData("12345678", true)]
    public void A_secret_has_eight_characters_at_least(string secret, bool isOne)
    {
        Assert.Equal(isOne, Scheme.KeyOf(secret) is not null);
        Assert.Null(Scheme.KeyOf(new string('x', 501)));
    }

    private static Rejection? Verify(InboundRequest request, params byte[][] keys) =>
        Scheme.Verify(request, keys, DateTimeOffset.UnixEpoch);

    internal static InboundRequest Signed(string body, string name = "issues", byte[]? key = null)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        return new InboundRequest(
            bytes,
            new HeaderDictionary
            {
                ["Content-Type"] = "application/json",
                ["X-GitHub-Event"] = name,
                ["X-GitHub-Delivery"] = "72d3162e-cc78-11e3-81ab-4c9367dc0958",
                ["X-Hub-Signature-256"] = "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(key ?? Key, bytes)),
            }
        );
    }

    private static (string?, string?) FaultOf(InboundRequest request)
    {
        var error = Assert.Single(new GitHubScheme().Read(request).Problem!.Errors);
        return (error.Header, error.Code);
    }
}
