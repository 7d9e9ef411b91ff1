using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;
using Microsoft.IdentityModel.Tokens;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>A public key as RFC 7517 spells it.</summary>
/// <param name="Kid">What a token's header names it by.</param>
/// <param name="Use">Always <c>sig</c>.</param>
/// <param name="Alg">Always <c>ES256</c>.</param>
/// <param name="Kty">Always <c>EC</c>.</param>
/// <param name="Crv">Always <c>P-256</c>.</param>
public sealed record PublishedKey(
    [property: MaxLength(22)] string Kid,
    [property: MaxLength(3)] string Use,
    [property: MaxLength(5)] string Alg,
    [property: MaxLength(2)] string Kty,
    [property: MaxLength(5)] string Crv,
    [property: MaxLength(43)] string X,
    [property: MaxLength(43)] string Y
) : IExampled<PublishedKey>
{
    public static PublishedKey Example =>
        Of(
            "Zq3vX0bq6mPjW1nKfG7d2A",
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
        );

    public static PublishedKey Of(SigningKey key) => Of(key.Kid, key.X, key.Y);

    private static PublishedKey Of(string kid, string x, string y) =>
        new(
            kid,
            JsonWebKeyUseNames.Sig,
            SecurityAlgorithms.EcdsaSha256,
            JsonWebAlgorithmsKeyTypes.EllipticCurve,
            JsonWebKeyECTypes.P256,
            x,
            y
        );
}
