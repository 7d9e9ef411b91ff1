namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Takes in a response's body up to a limit and keeps what came, also when the reading fails midway.</summary>
internal sealed class CappedBody(int maxBytes)
{
    private const int FirstBytes = 16 * 1024;

    // One byte more than is kept tells a body of exactly the limit from a longer one.
    private byte[] _buffer = new byte[Math.Min(maxBytes, FirstBytes) + 1];
    private int _count;

    public bool Truncated => _count > maxBytes;

    public async Task ReadAsync(HttpContent content, CancellationToken cancellationToken)
    {
        await using var stream = await content.ReadAsStreamAsync(cancellationToken);
        while (_count <= maxBytes)
        {
            if (_count == _buffer.Length)
            {
                Array.Resize(ref _buffer, Math.Min(maxBytes + 1, _buffer.Length * 4));
            }

            var read = await stream.ReadAsync(_buffer.AsMemory(_count), cancellationToken);
            if (read == 0)
            {
                return;
            }

            _count += read;
        }
    }

    public byte[] ToArray() => _buffer[..Math.Min(_count, maxBytes)];
}
