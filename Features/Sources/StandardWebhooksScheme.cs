using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Sources;

/// <summary>Standard Webhooks v1: an HMAC-SHA256 over <c>id.timestamp.body</c>, within five minutes.</summary>
/// <remarks>
/// Svix's names of the headers are taken too. Ids with a full stop and timestamps that are not plain digits are refused: they would
/// let a captured request be cut anew with its signature still valid. Of the signatures the first ten count. The event's type, time
/// and data are the body's <c>type</c>, <c>timestamp</c> and <c>data</c>; its id is the header's.
/// </remarks>
public sealed partial class StandardWebhooksScheme : WebhookScheme
{
    private const string SecretPrefix = "whsec_";
    private const string SignaturePrefix = "v1,";
    private const int MaxSignatures = 10;
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(300);

    public override string Name => "standard-webhooks";

    public override string SecretForm => "whsec_ and 24 to 64 bytes in base64";

    public override byte[]? KeyOf(string secret)
    {
        var key = new byte[64];
        return
            secret.StartsWith(SecretPrefix, StringComparison.Ordinal)
            && Convert.TryFromBase64Chars(secret.AsSpan(SecretPrefix.Length), key, out var length)
            && length >= 24
            ? key[..length]
            : null;
    }

    public override Rejection? Verify(InboundRequest request, IReadOnlyList<byte[]> keys, DateTimeOffset now)
    {
        var prefix = PrefixOf(request);
        var idFault = Id(request, $"{prefix}-id", out var id);
        var timeFault = Timestamp(request, $"{prefix}-timestamp", out var timestamp, out var sentAt);
        var signatureFault = Single(request, $"{prefix}-signature", out var signatures);
        if ((idFault ?? timeFault ?? signatureFault) is { } fault)
        {
            return fault;
        }

        if (!IsSigned(request.Body.Span, $"{id}.{timestamp}.", signatures, keys))
        {
            return Rejection.WrongSignature;
        }

        return (now - sentAt).Duration() > Tolerance
            ? new Rejection("stale_timestamp", "The signature is older or newer than five minutes.")
            : null;
    }

    public override Result<InboundEvent> Read(InboundRequest request)
    {
        var body = request.Body.Span;
        if (StrictJson.Check(body) is { } fault)
        {
            return Malformed(fault);
        }

        var reader = new Utf8JsonReader(body);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Malformed(FieldError.At("", "wrong_type", "The body is an object with type and data."));
        }

        string? type = null;
        string? timestamp = null;
        string? data = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString();
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            var text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            reader.Skip();
            switch (name)
            {
                case "type":
                    type = text;
                    break;
                case "timestamp":
                    timestamp = text;
                    break;
                case "data":
                    data = Encoding.UTF8.GetString(body[start..(int)reader.BytesConsumed]);
                    break;
            }
        }

        if (type is not { Length: > 0 and <= MaxIdLength } || type.Any(char.IsControl))
        {
            return Invalid(FieldError.At("/type", "required", "type must be text of 1 to 255 characters."));
        }

        return EventTypePattern.IsType(type)
            ? new InboundEvent(
                type,
                request.Headers[$"{PrefixOf(request)}-id"].ToString(),
                timestamp is null ? null : Rfc3339.Parse(timestamp),
                data
            )
            : Invalid(FieldError.At("/type", "invalid_event_type", $"type is {EventTypePattern.TypeForm}."));
    }

    private static string PrefixOf(InboundRequest request) =>
        request.Headers.ContainsKey("svix-signature") && !request.Headers.ContainsKey("webhook-signature")
            ? "svix"
            : "webhook";

    private static Rejection? Timestamp(
        InboundRequest request,
        string header,
        out string timestamp,
        out DateTimeOffset sentAt
    )
    {
        sentAt = default;
        if (Single(request, header, out timestamp) is { } unfit)
        {
            return unfit;
        }

        if (!Digits().IsMatch(timestamp))
        {
            return Rejection.MalformedHeader(header, "seconds since 1970 in digits");
        }

        sentAt = DateTimeOffset.FromUnixTimeSeconds(long.Parse(timestamp, CultureInfo.InvariantCulture));
        return null;
    }

    private static bool IsSigned(
        ReadOnlySpan<byte> body,
        string preamble,
        string signatures,
        IReadOnlyList<byte[]> keys
    )
    {
        byte[] signed = [.. Encoding.ASCII.GetBytes(preamble), .. body];
        var expected = keys.Select(key => HMACSHA256.HashData(key, signed)).ToArray();
        var given = new byte[HMACSHA256.HashSizeInBytes];
        var isSigned = false;
        foreach (var signature in signatures.Split(' ', MaxSignatures + 1).Take(MaxSignatures))
        {
            if (
                signature.StartsWith(SignaturePrefix, StringComparison.Ordinal)
                && Convert.TryFromBase64Chars(signature.AsSpan(SignaturePrefix.Length), given, out var length)
                && length == given.Length
            )
            {
                isSigned |= Array.Exists(expected, one => CryptographicOperations.FixedTimeEquals(one, given));
            }
        }

        return isSigned;
    }

    // eleven digits reach the year 5138, which DateTimeOffset holds
    [GeneratedRegex(@"^[0-9]{1,11}\z")]
    private static partial Regex Digits();
}
