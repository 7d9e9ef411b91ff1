using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Bellhop.Tests.Support;

/// <summary>A JSON Web Token part by part, so that each may be wrong.</summary>
internal sealed record HandMadeToken(string Header, string Payload)
{
    public static HandMadeToken Of(JsonObject header, JsonObject payload) =>
        new(header.ToJsonString(), payload.ToJsonString());

    public string SigningInput => $"{Encode(Header)}.{Encode(Payload)}";

    public string Signed(ECDsa key, HashAlgorithmName? hash = null) =>
        With(key.SignData(Encoding.ASCII.GetBytes(SigningInput), hash ?? HashAlgorithmName.SHA256));

    public string Signed(RSA key, bool isPss = false) =>
        With(
            key.SignData(
                Encoding.ASCII.GetBytes(SigningInput),
                HashAlgorithmName.SHA256,
                isPss ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1
            )
        );

    /// <summary>HS256 with that as the secret.</summary>
    public string Signed(byte[] secret) => With(HMACSHA256.HashData(secret, Encoding.ASCII.GetBytes(SigningInput)));

    public string With(byte[] signature) => $"{SigningInput}.{Base64Url.EncodeToString(signature)}";

    public static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    /// <summary>The members with some of them changed; null takes one away.</summary>
    public static JsonObject Change(JsonObject members, params (string Name, JsonNode? Value)[] changes)
    {
        var changed = (JsonObject)members.DeepClone();
        foreach (var (name, value) in changes)
        {
            changed.Remove(name);
            if (value is not null)
            {
                changed.Add(name, value);
            }
        }

        return changed;
    }
}
