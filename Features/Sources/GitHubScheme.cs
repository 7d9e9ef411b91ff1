using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bellhop.Infrastructure.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Bellhop.Features.Sources;

/// <summary>GitHub's webhooks: <c>X-Hub-Signature-256</c> is <c>sha256=</c> and the HMAC-SHA256 of the body in hex.</summary>
/// <remarks>
/// <para>The older <c>X-Hub-Signature</c> (SHA-1) is never looked at. The signature covers the body only: the delivery id and the
/// name of the event are not signed, so whoever captured a request may send it again under a new id.</para>
/// <para>The event is <c>github.&lt;event&gt;.&lt;action&gt;</c>, or <c>github.&lt;event&gt;</c> where the payload has no action; what
/// stands in neither a-z, 0-9, <c>_</c> nor <c>-</c> becomes <c>_</c>, since an action of a repository_dispatch may be any text.</para>
/// </remarks>
public sealed partial class GitHubScheme : WebhookScheme
{
    private const string SignatureHeader = "X-Hub-Signature-256";
    private const string EventHeader = "X-GitHub-Event";
    private const string DeliveryHeader = "X-GitHub-Delivery";
    private const string Prefix = "sha256=";
    private const int MaxActionLength = 100;

    public override string Name => "github";

    public override string SecretForm => "8 to 500 characters";

    public override byte[]? KeyOf(string secret) =>
        secret.Length is >= 8 and <= 500 ? Encoding.UTF8.GetBytes(secret) : null;

    public override Rejection? Verify(InboundRequest request, IReadOnlyList<byte[]> keys, DateTimeOffset now)
    {
        if (Single(request, SignatureHeader, out var text) is { } unfit)
        {
            return unfit;
        }

        var signature = new byte[HMACSHA256.HashSizeInBytes];
        if (
            text.Length != Prefix.Length + (2 * signature.Length)
            || !text.StartsWith(Prefix, StringComparison.Ordinal)
            || Convert.FromHexString(text.AsSpan(Prefix.Length), signature, out _, out _) != default
        )
        {
            return Rejection.MalformedHeader(SignatureHeader, "sha256= and 64 hex digits");
        }

        return keys.Any(key => Signs(key, request.Body.Span, signature)) ? null : Rejection.WrongSignature;
    }

    public override Result<InboundEvent> Read(InboundRequest request)
    {
        // not signed, so they say nothing about who sent it
        if ((Unfit(request, DeliveryHeader) ?? Unfit(request, EventHeader)) is { } header)
        {
            return header;
        }

        var read = Payload(request);
        if (read.Problem is { } unfit)
        {
            return unfit;
        }

        var payload = read.Unwrap();
        if (StrictJson.Check(payload) is { } fault)
        {
            return Malformed(fault);
        }

        var name = Segment(request.Headers[EventHeader].ToString());
        var type = ActionOf(payload) is { Length: > 0 } action ? $"github.{name}.{Segment(action)}" : $"github.{name}";
        return type.Length > MaxIdLength
            ? Invalid(FieldError.InHeader(EventHeader, "too_long", "The name of the event is too long."))
            : new InboundEvent(
                type,
                request.Headers[DeliveryHeader].ToString(),
                null,
                Encoding.UTF8.GetString(payload)
            );
    }

    private static bool Signs(byte[] key, ReadOnlySpan<byte> body, ReadOnlySpan<byte> signature)
    {
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, body, expected);
        return CryptographicOperations.FixedTimeEquals(expected, signature);
    }

    // the payload is the body, or the one field of a form
    private static Result<byte[]> Payload(InboundRequest request)
    {
        var contentType = request.Headers.ContentType.ToString();
        var mediaType = contentType.Split(';')[0].Trim();
        if (mediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
        {
            return request.Body.ToArray();
        }

        if (!mediaType.Equals("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase))
        {
            return Problems.WrongContentType("Send application/json or application/x-www-form-urlencoded.");
        }

        var form = QueryHelpers.ParseQuery(Encoding.UTF8.GetString(request.Body.Span));
        return form.TryGetValue("payload", out var values) && values.Count == 1
            ? Encoding.UTF8.GetBytes(values[0]!)
            : Malformed(FieldError.At("/payload", "required", "The form must have one field payload."));
    }

    private static Problem? Unfit(InboundRequest request, string header) =>
        Id(request, header, out _) is { } rejection
            ? Invalid(FieldError.InHeader(header, rejection.Reason, rejection.Detail))
            : null;

    private static string? ActionOf(ReadOnlySpan<byte> payload)
    {
        var reader = new Utf8JsonReader(payload);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isAction = reader.ValueTextEquals("action"u8);
            reader.Read();
            if (isAction)
            {
                return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            }

            reader.Skip();
        }

        return null;
    }

    private static string Segment(string text) =>
        Foreign().Replace(text[..Math.Min(text.Length, MaxActionLength)].ToLowerInvariant(), "_");

    [GeneratedRegex("[^a-z0-9_-]")]
    private static partial Regex Foreign();
}
