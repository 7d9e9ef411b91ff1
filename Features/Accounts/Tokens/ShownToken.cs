using System.Buffers.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>A JSON Web Token as it was shown: read strictly, and not believed yet. Its text form shows nothing of it.</summary>
/// <remarks>
/// At most 8 KiB, three parts, no member twice, no extension that must be understood (<c>crit</c>). Of the header only <c>kid</c>
/// is looked at before the signature; keys and addresses of keys that stand in it are never used.
/// </remarks>
internal sealed class ShownToken
{
    public const int MaxLength = 8_192;

    private const int MaxDepth = 16;

    private static readonly object Place = new();

    private ShownToken(string text, string? kid, string? issuer) => (Text, Kid, Issuer) = (text, kid, issuer);

    public string Text { get; }

    /// <summary>The key that is said to have signed it.</summary>
    public string? Kid { get; }

    /// <summary>Who is said to have signed it.</summary>
    public string? Issuer { get; }

    /// <summary>What the request shows, read once; null: nothing, or no sound one.</summary>
    public static ShownToken? Of(HttpContext http)
    {
        if (http.Items.TryGetValue(Place, out var read))
        {
            return (ShownToken?)read;
        }

        var token = BearerToken.Read(http) is { } text ? Parse(text) : null;
        http.Items[Place] = token;
        return token;
    }

    /// <summary>Whether this is meant to be one: no key has a full stop in it.</summary>
    public static bool IsLike(string text) => text.Contains('.', StringComparison.Ordinal);

    public static ShownToken? Parse(string text)
    {
        if (text.Length > MaxLength || text.Split('.') is not [var head, var body, { Length: > 0 } signature])
        {
            return null;
        }

        using var header = Read(head);
        using var payload = Read(body);
        if (
            header is null
            || payload is null
            || !Base64Url.IsValid(signature)
            || header.RootElement.TryGetProperty("crit", out _)
        )
        {
            return null;
        }

        return new ShownToken(text, Find(header, "kid"), Find(payload, "iss"));
    }

    public override string ToString() => "a token";

    private static JsonDocument? Read(string part)
    {
        try
        {
            var document = JsonDocument.Parse(
                Base64Url.DecodeFromChars(part),
                new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = MaxDepth }
            );
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
            return null;
        }
        catch (Exception exception) when (exception is FormatException or JsonException)
        {
            return null;
        }
    }

    private static string? Find(JsonDocument document, string name)
    {
        try
        {
            return document.RootElement.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
                ? value.GetString()
                : null;
        }
        catch (InvalidOperationException)
        {
            return null; // half a surrogate pair is no text
        }
    }
}
