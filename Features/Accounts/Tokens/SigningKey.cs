using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.IdentityModel.Tokens;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>A key that access tokens are signed with: ECDSA on P-256 (ES256). Its text form is its id.</summary>
public sealed class SigningKey
{
    public const string Next = "next";
    public const string Current = "current";
    public const string Previous = "previous";

    private const int KidLength = 22;

    /// <param name="privateKey">PKCS #8.</param>
    public SigningKey(string kid, string state, byte[] privateKey, DateTime? activatedAt, DateTime? retiresAt)
    {
        using var ecdsa = ECDsa.Create();
        ecdsa.ImportPkcs8PrivateKey(privateKey, out _);
        var parameters = ecdsa.ExportParameters(includePrivateParameters: true);
        (Kid, State, ActivatedAt, RetiresAt) = (kid, state, activatedAt, retiresAt);
        X = Base64Url.EncodeToString(parameters.Q.X);
        Y = Base64Url.EncodeToString(parameters.Q.Y);
        // the library makes an ECDsa of its own for each thread out of these; one instance is not safe for several
        Verifies = NewKey(kid, X, Y, null);
        Signs = new SigningCredentials(
            NewKey(kid, X, Y, Base64Url.EncodeToString(parameters.D)),
            SecurityAlgorithms.EcdsaSha256
        );
    }

    public string Kid { get; }

    public string State { get; }

    /// <summary>When it became the current one.</summary>
    public DateTime? ActivatedAt { get; }

    /// <summary>Of a previous one: when it is believed no more.</summary>
    public DateTime? RetiresAt { get; }

    /// <summary>The public point, in base64url.</summary>
    public string X { get; }

    /// <inheritdoc cref="X"/>
    public string Y { get; }

    internal SecurityKey Verifies { get; }

    internal SigningCredentials Signs { get; }

    /// <summary>The id of a key: of its public half nobody can make another one with the same.</summary>
    public static string KidOf(byte[] publicKey) => Base64Url.EncodeToString(SHA256.HashData(publicKey))[..KidLength];

    /// <summary>Whether this may be an id that <see cref="KidOf"/> gave.</summary>
    public static bool IsKid(string text) =>
        text.Length == KidLength && text.All(one => char.IsAsciiLetterOrDigit(one) || one is '-' or '_');

    public bool IsBelieved(DateTimeOffset now) => RetiresAt is null || now.UtcDateTime < RetiresAt;

    public override string ToString() => Kid;

    private static JsonWebKey NewKey(string kid, string x, string y, string? d) =>
        new()
        {
            Kty = JsonWebAlgorithmsKeyTypes.EllipticCurve,
            Crv = JsonWebKeyECTypes.P256,
            Kid = kid,
            X = x,
            Y = y,
            D = d,
        };
}
