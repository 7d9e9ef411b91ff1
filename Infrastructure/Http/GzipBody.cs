using System.IO.Compression;

namespace Bellhop.Infrastructure.Http;

/// <summary>Unpacks a gzip body (RFC 1952) no further than it may go.</summary>
internal static class GzipBody
{
    private const int ChunkBytes = 64 * 1024;

    /// <summary>What was packed; null when it is more than <paramref name="limit"/> bytes, of which no more were unpacked.</summary>
    /// <exception cref="InvalidDataException">It is not gzip, or ends too early.</exception>
    public static async Task<byte[]?> ReadAsync(Stream packed, int limit, CancellationToken cancellationToken)
    {
        await using var gzip = new GZipStream(packed, CompressionMode.Decompress);
        using var unpacked = new MemoryStream();
        var chunk = new byte[ChunkBytes];
        while (await gzip.ReadAsync(chunk, cancellationToken) is > 0 and var count)
        {
            if (unpacked.Length + count > limit)
            {
                return null;
            }

            unpacked.Write(chunk, 0, count);
        }

        return unpacked.ToArray();
    }
}
