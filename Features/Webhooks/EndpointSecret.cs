using System.Security.Cryptography;
using Bellhop.Infrastructure.Secrets;

namespace Bellhop.Features.Webhooks;

/// <summary>What an endpoint's webhooks are signed with: <c>whsec_</c> and the key in base64 (Standard Webhooks).</summary>
internal static class EndpointSecret
{
    /// <summary>That of 64 bytes.</summary>
    public const int MaxLength = 94;

    private const string Prefix = "whsec_";
    private const int KeyBytes = 32;

    public static readonly SealedColumn Sealed = new("webhook_endpoints", "secrets", Sql.TakeSealed, Sql.PutSealed);

    public static string Generate() => Prefix + Convert.ToBase64String(RandomNumberGenerator.GetBytes(KeyBytes));

    /// <summary>The key, or null: the prefix is missing, the rest is not base64, or not 24 to 64 bytes.</summary>
    public static byte[]? KeyOf(string? secret)
    {
        if (secret is null || !secret.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return null;
        }

        Span<byte> key = stackalloc byte[128];
        return Convert.TryFromBase64String(secret[Prefix.Length..], key, out var count) && count is >= 24 and <= 64
            ? key[..count].ToArray()
            : null;
    }

    /// <summary>Where the secrets of an endpoint are sealed to.</summary>
    public static AssociatedData PlaceOf(Guid projectId, Guid id) => Sealed.At(projectId, $"{id}");

    /// <summary>The key of a sealed secret. One that does not open is a fault of the installation.</summary>
    public static byte[] Open(SecretBox box, string sealedSecret, Guid projectId, Guid id)
    {
        var secret = box.OpenText(sealedSecret, PlaceOf(projectId, id));
        return KeyOf(secret) ?? throw new InvalidOperationException($"The secret of webhook endpoint {id} is no key.");
    }

    private static class Sql
    {
        public const string TakeSealed = """
            SELECT project_id, id::text AS id, secrets AS sealed
            FROM webhook_endpoints
            WHERE (project_id, id) > (@AfterProject, @AfterId::uuid)
                AND EXISTS (SELECT FROM unnest(secrets) AS secret WHERE split_part(secret, '.', 2) <> @Kid)
            ORDER BY project_id, id
            LIMIT @Take
            """;

        public const string PutSealed = """
            UPDATE webhook_endpoints SET secrets = @After WHERE project_id = @ProjectId AND id = @Id::uuid AND secrets = @Before
            """;
    }
}
