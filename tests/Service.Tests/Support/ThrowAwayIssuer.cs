using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Bellhop.Tests.Support;

/// <summary>An issuer of tokens on 127.0.0.1, with an RSA and an EC key, that publishes them as OpenID Connect Discovery says.</summary>
internal sealed class ThrowAwayIssuer : IAsyncDisposable
{
    // its own, or what the service remembers of an issuer that had the same port before would count for this one
    private readonly string _path = $"/{Guid.NewGuid():N}";

    private Receiver _receiver = null!;

    public RSA Rsa { get; } = RSA.Create(2048);

    public ECDsa Ec { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>As it stands in tokens.</summary>
    public string Url => _receiver.Url[..^"/hook".Length] + _path;

    public int Asked => _receiver.Received.Count(request => request.Path == $"{_path}/keys");

    public IReadOnlyList<ReceivedRequest> Received => _receiver.Received;

    /// <summary>Whether it answers 503 to everything.</summary>
    public bool IsOut { get; set; }

    /// <summary>What its configuration says it is; null: what it is.</summary>
    public string? Claims { get; set; }

    /// <summary>Further keys, as they stand in its set.</summary>
    public JsonArray Further { get; } = [];

    public long Now { get; } = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    public JsonObject Header { get; } =
        new()
        {
            ["alg"] = "RS256",
            ["typ"] = "JWT",
            ["kid"] = "rsa",
        };

    public JsonObject Payload =>
        new()
        {
            ["iss"] = Url,
            ["aud"] = "bellhop",
            ["sub"] = "shop",
            ["iat"] = Now,
            ["exp"] = Now + 300,
        };

    public static async Task<ThrowAwayIssuer> StartAsync()
    {
        var issuer = new ThrowAwayIssuer();
        issuer._receiver = await Receiver.StartAsync((request, _) => Task.FromResult(issuer.Answer(request)));
        return issuer;
    }

    /// <summary>A sound token with some members changed; null takes one away.</summary>
    public string Token(params (string Name, JsonNode? Value)[] changes) =>
        HandMadeToken.Of(Header, HandMadeToken.Change(Payload, changes)).Signed(Rsa);

    public HandMadeToken With(params (string Name, JsonNode? Value)[] headers) =>
        HandMadeToken.Of(HandMadeToken.Change(Header, headers), Payload);

    public ValueTask DisposeAsync()
    {
        Rsa.Dispose();
        Ec.Dispose();
        return _receiver.DisposeAsync();
    }

    private IResult Answer(ReceivedRequest request)
    {
        if (IsOut)
        {
            return Results.StatusCode(503);
        }

        return request.Path[Math.Min(_path.Length, request.Path.Length)..] switch
        {
            "/.well-known/openid-configuration" => Results.Text(
                new JsonObject { ["issuer"] = Claims ?? Url, ["jwks_uri"] = $"{Url}/keys" }.ToJsonString(),
                "application/json"
            ),
            "/keys" => Results.Text(Keys().ToJsonString(), "application/json"),
            _ => Results.NotFound(),
        };
    }

    private JsonObject Keys()
    {
        var rsa = Rsa.ExportParameters(includePrivateParameters: false);
        var point = Ec.ExportParameters(includePrivateParameters: false).Q;
        return new JsonObject
        {
            ["keys"] = new JsonArray([
                new JsonObject
                {
                    ["kty"] = "RSA",
                    ["kid"] = "rsa",
                    ["use"] = "sig",
                    ["n"] = Base64Url.EncodeToString(rsa.Modulus),
                    ["e"] = Base64Url.EncodeToString(rsa.Exponent),
                },
                new JsonObject
                {
                    ["kty"] = "EC",
                    ["kid"] = "ec",
                    ["crv"] = "P-256",
                    ["alg"] = "ES256",
                    ["x"] = Base64Url.EncodeToString(point.X),
                    ["y"] = Base64Url.EncodeToString(point.Y),
                },
                .. Further.Select(key => key!.DeepClone()),
            ]),
        };
    }
}
