using System.Buffers;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Which headers a user may have sent in a request of ours; called when they are saved and when sent.</summary>
/// <remarks>The framework writes an unchecked CR LF to the wire as it is, which makes one header two.</remarks>
public static class OutgoingHeaders
{
    /// <summary>The longest header name, in characters.</summary>
    public const int MaxNameLength = 128;

    /// <summary>The longest header value, in characters.</summary>
    public const int MaxValueLength = 8192;

    // token of RFC 9110 5.6.2
    private static readonly SearchValues<char> Token = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    );

    // They frame the message, steer the connection or name the target: the client sets them.
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection",
        "Content-Length",
        "Expect",
        "Host",
        "HTTP2-Settings",
        "Keep-Alive",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    };

    /// <summary>The code of what is wrong with the header, or null when it may be sent.</summary>
    public static string? Check(string name, string value)
    {
        if (name.Length is 0 or > MaxNameLength || name.AsSpan().ContainsAnyExcept(Token))
        {
            return OutgoingErrors.HeaderNameInvalid;
        }

        if (Reserved.Contains(name))
        {
            return OutgoingErrors.HeaderNotAllowed;
        }

        return value.Length > MaxValueLength || value.AsSpan().ContainsAnyExceptInRange(' ', '~')
            ? OutgoingErrors.HeaderValueInvalid
            : null;
    }
}
