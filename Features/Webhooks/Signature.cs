using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Bellhop.Features.Webhooks;

/// <summary>Signs as Standard Webhooks v1 says: HMAC-SHA256 over <c>id.timestamp.body</c>, in base64.</summary>
public static class Signature
{
    /// <summary>The value of <c>webhook-signature</c>: one signature for each key, separated by spaces.</summary>
    /// <param name="timestamp">Unix seconds, as in <c>webhook-timestamp</c>.</param>
    public static string Sign(string id, long timestamp, ReadOnlySpan<byte> body, IReadOnlyList<byte[]> keys)
    {
        var head = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{timestamp}."));
        var signatures = new string[keys.Count];
        for (var index = 0; index < signatures.Length; index++)
        {
            using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, keys[index]);
            hmac.AppendData(head);
            hmac.AppendData(body);
            signatures[index] = "v1," + Convert.ToBase64String(hmac.GetHashAndReset());
        }

        return string.Join(' ', signatures);
    }
}
