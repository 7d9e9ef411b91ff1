namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Takes in a response's body up to a limit and keeps what came, also when the reading fails midway.</summary>
internal sealed class CappedBody(int maxBytes)
{
    // One byte more than is kept tells a body of exactly the limit from a longer one.
    private readonly byte[] _buffer = new byte[maxBytes + 1];
    private int _count;

    public bool Truncated => _count > maxBytes;

    public async Task ReadAsync(HttpContent content, CancellationToken cancellationToken)
    {
        await using var stream = await content.ReadAsStreamAsync(cancellationToken);
        int read;
        while (
            _count < _buffer.Length && (read = await stream.ReadAsync(_buffer.AsMemory(_count), cancellationToken)) > 0
        )
        {
            _count += read;
        }
    }

    public byte[] ToArray() => _buffer[..Math.Min(_count, maxBytes)];
}
