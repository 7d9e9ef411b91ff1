namespace Bellhop.Features.Events;

/// <summary>A request to take in an event, before anything of it is understood.</summary>
/// <param name="Headers">For the binary mode of CloudEvents; null where there are none, as on the command line.</param>
public sealed record EventRequest(
    ReadOnlyMemory<byte> Body,
    string? ContentType = "application/json",
    IHeaderDictionary? Headers = null
)
{
    /// <summary>The media type without its parameters.</summary>
    internal ReadOnlySpan<char> MediaType
    {
        get
        {
            var whole = ContentType.AsSpan();
            var end = whole.IndexOf(';');
            return (end < 0 ? whole : whole[..end]).Trim();
        }
    }

    internal bool Is(string mediaType) => MediaType.Equals(mediaType, StringComparison.OrdinalIgnoreCase);
}
