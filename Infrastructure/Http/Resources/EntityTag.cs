using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace Bellhop.Infrastructure.Http.Resources;

/// <summary>A piece of configuration that counts how often it was written.</summary>
public interface IRevised
{
    Guid Id { get; }

    /// <summary>1 when it was made, one more with each change.</summary>
    int Revision { get; }
}

/// <summary>Strong entity tags (RFC 9110 section 8.8.3).</summary>
public static class EntityTag
{
    /// <summary>Of configuration: its id and revision, so that a name made again does not pass for the one that was deleted.</summary>
    public static string Of(IRevised resource) =>
        string.Create(CultureInfo.InvariantCulture, $"\"{resource.Id:N}-{resource.Revision}\"");

    /// <summary>Of everything else: the bytes of the answer.</summary>
    public static string Of(ReadOnlySpan<byte> body)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(body, hash);
        return $"\"{Base64Url.EncodeToString(hash[..16])}\"";
    }

    /// <summary>Whether who reads has it already, by <c>If-None-Match</c>.</summary>
    public static bool IsSeenBy(HttpRequest request, string tag) =>
        (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method))
        && request.Headers.IfNoneMatch.Count > 0
        && EntityTagHeaderValue.TryParseList(request.Headers.IfNoneMatch, out var seen)
        && seen.Any(one => one.Tag == "*" || one.Tag == tag);
}
