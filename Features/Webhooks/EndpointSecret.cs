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
    public static AssociatedData PlaceOf(Guid projectId, Guid id) =>
        new(projectId, "webhook_endpoints", "secrets", $"{id}");

    /// <summary>The key of a sealed secret. One that does not open is a fault of the installation.</summary>
    public static byte[] Open(SecretBox box, string sealedSecret, Guid projectId, Guid id)
    {
        var opened = box.Open(sealedSecret, PlaceOf(projectId, id));
        return opened.TryGetText(out var secret) && KeyOf(secret) is { } key
            ? key
            : throw new InvalidOperationException($"The secret of webhook endpoint {id} does not open: {opened}.");
    }
}
