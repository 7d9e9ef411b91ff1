using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Microsoft.Extensions.Primitives;

namespace Bellhop.Infrastructure.Http.Idempotency;

/// <summary>The value of <c>Idempotency-Key</c>: 1–255 visible ASCII characters, bare or as a quoted string (RFC 8941).</summary>
/// <remarks>
/// It counts for its caller, project, method and route: <c>a</c> on one route has nothing to do with <c>a</c> on another, and nobody
/// is answered what somebody else was.
/// </remarks>
public sealed class IdempotencyKey
{
    public const string Header = "Idempotency-Key";
    public const int MaxLength = 255;

    private IdempotencyKey(Guid projectId, byte[] scoped) => (ProjectId, Sha256) = (projectId, scoped);

    /// <summary>Where its row is.</summary>
    public Guid ProjectId { get; }

    /// <summary>What the row of the key is found by.</summary>
    public byte[] Sha256 { get; }

    /// <summary>What is locked while a request with the key is worked on.</summary>
    public long LockId => BinaryPrimitives.ReadInt64BigEndian(Sha256);

    /// <param name="projectId">Of a route that acts in no project: all zeros, whichever one the caller has picked.</param>
    public static Result<IdempotencyKey> Read(
        StringValues header,
        Caller caller,
        Guid projectId,
        string method,
        string route
    )
    {
        if (header.Count > 1)
        {
            return Refuse("Give it once.");
        }

        var text = header[0]!;
        if (text.StartsWith('"'))
        {
            if (Unquote(text) is not { } unquoted)
            {
                return Refuse("The quoted string does not end, or holds a bare \" or \\.");
            }

            text = unquoted;
        }

        return text.Length is 0 or > MaxLength || text.Any(character => character is < '!' or > '~')
            ? Refuse($"1 to {MaxLength} visible ASCII characters.")
            : new IdempotencyKey(
                projectId,
                SHA256.HashData(Encoding.UTF8.GetBytes($"{projectId:N}|{caller.Id:N}|{method} {route}|{text}"))
            );
    }

    /// <summary>What the request is known by again: its query, and its body whatever its spaces and the order of its members.</summary>
    public static byte[] Fingerprint(string query, byte[] body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(query + "\n"));
        hash.AppendData(Canonical(body));
        return hash.GetHashAndReset();
    }

    private static byte[] Canonical(byte[] body)
    {
        if (body.Length == 0 || StrictJson.Check(body) is not null)
        {
            return body; // refused later, by whoever reads it
        }

        using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = JsonRules.MaxDepth });
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            Write(writer, document.RootElement);
        }

        return buffer.ToArray();
    }

    private static void Write(Utf8JsonWriter writer, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var member in value.EnumerateObject().OrderBy(member => member.Name, StringComparer.Ordinal))
                {
                    writer.WritePropertyName(member.Name);
                    Write(writer, member.Value);
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
            default:
                value.WriteTo(writer); // 1 and 1.0 differ here, as they may to whoever made the request
                break;
        }
    }

    private static string? Unquote(string text)
    {
        var value = new StringBuilder(text.Length);
        for (var at = 1; at < text.Length; at++)
        {
            switch (text[at])
            {
                case '"':
                    return at == text.Length - 1 ? value.ToString() : null;
                case '\\' when at + 1 < text.Length && text[at + 1] is '"' or '\\':
                    value.Append(text[++at]);
                    break;
                case '\\':
                    return null;
                default:
                    value.Append(text[at]);
                    break;
            }
        }

        return null;
    }

    private static Problem Refuse(string message) =>
        Problems.InvalidHeader.Because($"{Header}: {message}", FieldError.InHeader(Header, "invalid", message));
}
