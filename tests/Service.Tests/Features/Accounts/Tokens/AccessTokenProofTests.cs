using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Bellhop.Features.Accounts.Tokens;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.Tokens;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

/// <summary>S-10: whatever is wrong with a token, the answer is the same 401, and nobody is asked for a key.</summary>
public sealed class AccessTokenProofTests(ServiceFixture service)
{
    private static readonly Dictionary<string, Func<Kit, string>> Corpus = new(StringComparer.Ordinal)
    {
        ["alg none"] = kit => kit.Header(("alg", "none")).With([]),
        ["alg None"] = kit => kit.Header(("alg", "None")).With([]),
        ["alg nOnE"] = kit => kit.Header(("alg", "nOnE")).With([]),
        ["alg none, signed"] = kit => kit.Header(("alg", "none")).Signed(kit.Key),
        ["alg missing"] = kit => kit.Header(("alg", null)).Signed(kit.Key),
        ["alg es256"] = kit => kit.Header(("alg", "es256")).Signed(kit.Key),
        ["alg is a number"] = kit => kit.Header(("alg", 1)).Signed(kit.Key),
        ["HS256 by the PEM"] = kit =>
            kit.Header(("alg", "HS256")).Signed(Encoding.ASCII.GetBytes(kit.Key.ExportSubjectPublicKeyInfoPem())),
        ["HS256 by the PEM and a line feed"] = kit =>
            kit.Header(("alg", "HS256"))
                .Signed(Encoding.ASCII.GetBytes(kit.Key.ExportSubjectPublicKeyInfoPem() + "\n")),
        ["HS256 by the DER"] = kit => kit.Header(("alg", "HS256")).Signed(kit.Key.ExportSubjectPublicKeyInfo()),
        ["HS256 by x"] = kit => kit.Header(("alg", "HS256")).Signed(kit.Key.ExportParameters(false).Q.X!),
        ["HS256 by nothing"] = kit => kit.Header(("alg", "HS256")).Signed(Array.Empty<byte>()),
        ["RS256"] = kit => kit.Header(("alg", "RS256")).Signed(kit.Rsa),
        ["PS256"] = kit => kit.Header(("alg", "PS256")).Signed(kit.Rsa, isPss: true),
        ["ES384"] = kit =>
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
            return kit.Header(("alg", "ES384")).Signed(key, HashAlgorithmName.SHA384);
        },
        ["another key"] = kit => kit.Sound.Signed(kit.Other),
        ["empty signature"] = kit => kit.Sound.With([]),
        ["stripped signature"] = kit => kit.Sound.SigningInput,
        ["signature of zeros"] = kit => kit.Sound.With(new byte[64]),
        ["signature cut"] = kit => kit.Sound.Signed(kit.Key)[..^2],
        ["signature in DER"] = kit =>
            kit.Sound.With(
                kit.Key.SignData(
                    Encoding.ASCII.GetBytes(kit.Sound.SigningInput),
                    HashAlgorithmName.SHA256,
                    DSASignatureFormat.Rfc3279DerSequence
                )
            ),
        ["jwk, with our kid"] = kit => kit.Header(("jwk", kit.OtherJwk())).Signed(kit.Other),
        ["jwk, with its kid"] = kit => kit.Header(("jwk", kit.OtherJwk()), ("kid", "other")).Signed(kit.Other),
        ["jwk, no kid"] = kit => kit.Header(("jwk", kit.OtherJwk()), ("kid", null)).Signed(kit.Other),
        ["jku"] = kit => kit.Header(("jku", kit.Sink)).Signed(kit.Other),
        ["jku, another kid"] = kit => kit.Header(("jku", kit.Sink), ("kid", "other")).Signed(kit.Other),
        ["x5u"] = kit => kit.Header(("x5u", kit.Sink)).Signed(kit.Other),
        ["x5c"] = kit => kit.Header(("x5c", new JsonArray("MIIB"))).Signed(kit.Other),
        ["crit"] = kit => kit.Header(("crit", new JsonArray("exp"))).Signed(kit.Key),
        ["kid is a path"] = kit => kit.Header(("kid", "../../dev/null")).Signed(Array.Empty<byte>()),
        ["kid is SQL"] = kit => kit.Header(("kid", "' OR 1=1; --")).Signed(kit.Key),
        ["kid of ten thousand"] = kit => kit.Header(("kid", new string('k', 10_000))).Signed(kit.Key),
        ["kid unknown"] = kit => kit.Header(("kid", "Zq3vX0bq6mPjW1nKfG7d2A")).Signed(kit.Key),
        ["kid missing"] = kit => kit.Header(("kid", null)).Signed(kit.Key),
        ["kid is a number"] = kit => kit.Header(("kid", 1)).Signed(kit.Key),
        ["kid is half a pair"] = kit =>
            new HandMadeToken("""{"alg":"ES256","typ":"at+jwt","kid":"\ud800"}""", kit.Sound.Payload).Signed(kit.Key),
        ["typ JWT"] = kit => kit.Header(("typ", "JWT")).Signed(kit.Key),
        ["typ missing"] = kit => kit.Header(("typ", null)).Signed(kit.Key),
        ["aud of another"] = kit => kit.Claims(("aud", "shop")).Signed(kit.Key),
        ["aud missing"] = kit => kit.Claims(("aud", null)).Signed(kit.Key),
        ["iss of another"] = kit => kit.Claims(("iss", "https://issuer.example.com")).Signed(kit.Key),
        ["iss missing"] = kit => kit.Claims(("iss", null)).Signed(kit.Key),
        ["iss is a list"] = kit => kit.Claims(("iss", new JsonArray("bellhop"))).Signed(kit.Key),
        ["nbf in the future"] = kit => kit.Claims(("nbf", kit.Now + 40)).Signed(kit.Key),
        ["exp past"] = kit => kit.Claims(("exp", kit.Now - 40)).Signed(kit.Key),
        ["exp missing"] = kit => kit.Claims(("exp", null)).Signed(kit.Key),
        ["exp is text"] = kit => kit.Claims(("exp", "never")).Signed(kit.Key),
        ["exp is beyond all"] = kit => kit.Claims(("exp", -1e300)).Signed(kit.Key),
        ["sub is nobody"] = kit => kit.Claims(("sub", $"{Guid.NewGuid()}")).Signed(kit.Key),
        ["sub is no id"] = kit => kit.Claims(("sub", "ada")).Signed(kit.Key),
        ["sub missing"] = kit => kit.Claims(("sub", null)).Signed(kit.Key),
        ["sub is no key"] = kit => kit.Claims(("sub", $"key:{Guid.NewGuid()}"), ("mark", "0")).Signed(kit.Key),
        ["sid missing"] = kit => kit.Claims(("sid", null)).Signed(kit.Key),
        ["epoch is text"] = kit => kit.Claims(("epoch", "one")).Signed(kit.Key),
        ["epoch before"] = kit => kit.Claims(("epoch", 0)).Signed(kit.Key),
        ["a header twice"] = kit =>
            new HandMadeToken($$"""{"alg":"none",{{kit.Sound.Header[1..]}}""", kit.Sound.Payload).Signed(kit.Key),
        ["a claim twice"] = kit =>
            new HandMadeToken(kit.Sound.Header, $$"""{"aud":"shop",{{kit.Sound.Payload[1..]}}""").Signed(kit.Key),
        ["a claim twice inside"] = kit =>
            new HandMadeToken(kit.Sound.Header, $$"""{"a":{"b":1,"b":2},{{kit.Sound.Payload[1..]}}""").Signed(kit.Key),
        ["eight KiB"] = kit => kit.Claims(("pad", new string('a', 8_192))).Signed(kit.Key),
        ["fifty KB"] = kit => kit.Claims(("pad", new string('a', 37_000))).Signed(kit.Key),
        ["not base64"] = kit => $"{kit.Sound.Signed(kit.Key)}!",
        ["padded base64"] = kit => $"{kit.Sound.Signed(kit.Key)}=",
        ["header is no JSON"] = kit => new HandMadeToken("alg", kit.Sound.Payload).Signed(kit.Key),
        ["payload is no JSON"] = kit => new HandMadeToken(kit.Sound.Header, "{").Signed(kit.Key),
        ["payload is a list"] = kit => new HandMadeToken(kit.Sound.Header, "[]").Signed(kit.Key),
        ["payload is no UTF-8"] = kit => $"{HandMadeToken.Encode(kit.Sound.Header)}.wyg.c2ln",
        ["deep payload"] = kit =>
            new HandMadeToken(
                kit.Sound.Header,
                $$"""{"a":{{new string('[', 1_500)}}{{new string(']', 1_500)}},{{kit.Sound.Payload[1..]}}"""
            ).Signed(kit.Key),
        ["two parts"] = _ => "a.b",
        ["three full stops"] = _ => "...",
        ["four parts"] = kit => $"{kit.Sound.Signed(kit.Key)}.c2ln",
        ["five parts"] = _ => "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA",
        ["no text"] = _ => ".",
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Names => [.. Corpus.Keys];

    [Fact]
    public async Task A_token_that_is_made_by_hand_as_it_should_be_is_taken()
    {
        using var kit = await Kit.CreateAsync(service, "https://127.0.0.1/");

        Assert.Equal(HttpStatusCode.OK, (await TryAsync(kit.Sound.Signed(kit.Key))).Status);
        Assert.Equal(
            HttpStatusCode.OK,
            (await TryAsync(kit.Claims(("nbf", kit.Now + 20), ("exp", kit.Now - 20)).Signed(kit.Key))).Status
        );
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_token_that_is_not_as_it_should_be_proves_nothing(string name)
    {
        await using var sink = await Receiver.StartAsync();
        using var kit = await Kit.CreateAsync(service, sink.Url);
        var token = Corpus[name](kit);
        var plain = await TryAsync("nonsense");

        var answer = await TryAsync(token);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.Status);
        Assert.Equal(plain.Body, answer.Body);
        Assert.Empty(sink.Received);
    }

    private async Task<(HttpStatusCode Status, string Body)> TryAsync(string token)
    {
        using var client = service.NewClient();
        client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        using var answer = await client.GetAsync("/v1/jobs", Token);
        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!.AsObject();
        body.Remove("request_id");
        return (answer.StatusCode, body.ToJsonString());
    }

    /// <summary>A sound token of a user, the key that signs it, and others.</summary>
    private sealed class Kit : IDisposable
    {
        private readonly JsonObject _header;
        private readonly JsonObject _claims;

        private Kit(ECDsa key, JsonObject header, JsonObject claims, string sink) =>
            (Key, _header, _claims, Sink) = (key, header, claims, sink);

        public ECDsa Key { get; }

        public ECDsa Other { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        public RSA Rsa { get; } = RSA.Create(2048);

        public string Sink { get; }

        public long Now { get; } = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

        public HandMadeToken Sound => HandMadeToken.Of(_header, _claims);

        public static async Task<Kit> CreateAsync(ServiceFixture service, string sink)
        {
            var project = await service.NewProjectAsync();
            var user = await TestUser.CreateAsync(service, project.Id);
            var text = (await TestTokens.BeginAsync(service.Services, user.Id)).Access.Split('.');
            var signing = await service.Services.GetRequiredService<SigningKeys>().CurrentAsync(Token);
            var jwk = (JsonWebKey)signing.Signs.Key;
            var key = ECDsa.Create(
                new ECParameters
                {
                    Curve = ECCurve.NamedCurves.nistP256,
                    D = Base64Url.DecodeFromChars(jwk.D),
                    Q = new ECPoint { X = Base64Url.DecodeFromChars(jwk.X), Y = Base64Url.DecodeFromChars(jwk.Y) },
                }
            );
            return new Kit(key, Read(text[0]), Read(text[1]), sink);
        }

        public HandMadeToken Header(params (string Name, JsonNode? Value)[] changes) =>
            HandMadeToken.Of(HandMadeToken.Change(_header, changes), _claims);

        public HandMadeToken Claims(params (string Name, JsonNode? Value)[] changes) =>
            HandMadeToken.Of(_header, HandMadeToken.Change(_claims, changes));

        public JsonObject OtherJwk()
        {
            var point = Other.ExportParameters(includePrivateParameters: false).Q;
            return new JsonObject
            {
                ["kty"] = "EC",
                ["crv"] = "P-256",
                ["kid"] = "other",
                ["x"] = Base64Url.EncodeToString(point.X),
                ["y"] = Base64Url.EncodeToString(point.Y),
            };
        }

        public void Dispose()
        {
            Key.Dispose();
            Other.Dispose();
            Rsa.Dispose();
        }

        private static JsonObject Read(string part) => JsonNode.Parse(Base64Url.DecodeFromChars(part))!.AsObject();
    }
}
