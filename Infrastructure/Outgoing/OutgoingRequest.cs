namespace Bellhop.Infrastructure.Outgoing;

/// <summary>One request to somewhere outside.</summary>
/// <param name="Method">The HTTP method, upper case.</param>
/// <param name="Url">An absolute URL that <see cref="AddressPolicy.CheckUrl"/> accepts.</param>
public sealed record OutgoingRequest(HttpMethod Method, string Url)
{
    /// <summary>No request may keep more of a response's body, in bytes.</summary>
    public const int MostBodyBytes = 1024 * 1024;

    /// <summary>
    /// Headers in the order given; each must pass <see cref="OutgoingHeaders.Check"/>. A name may occur twice.
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The bytes to send as they are; null sends none. Its content type is a header like the others.</summary>
    public ReadOnlyMemory<byte>? Body { get; init; }

    /// <summary>The one deadline over resolving, connecting, sending, headers and the kept part of the body.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How much of the response's body is kept, in bytes; 16 KiB where nothing is said, at most 1 MiB.</summary>
    public int MaxBodyBytes
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, MostBodyBytes);
            field = value;
        }
    } = 16 * 1024;

    /// <summary>
    /// Sends the W3C <c>traceparent</c> of the running trace. Off by default: a stranger has no use for our trace ids.
    /// </summary>
    public bool PropagateTrace { get; init; }

    /// <summary>Method and host only: paths, queries and headers of webhooks carry secrets.</summary>
    public override string ToString() =>
        Uri.TryCreate(Url, UriKind.Absolute, out var url) ? $"{Method} {url.Host}" : $"{Method}";
}
