using System.Globalization;
using System.Text;

namespace Bellhop.Infrastructure.Background;

/// <summary>What a program wrote: its beginning and its end, however much it was.</summary>
public sealed class ProgramOutput
{
    /// <summary>How much is kept.</summary>
    public const int MaxBytes = 64 * 1024;

    // touched by the task that reads, and by others once that has ended
    private readonly byte[] _head = new byte[MaxBytes / 2];
    private readonly byte[] _tail = new byte[MaxBytes / 2];
    private long _length;

    /// <summary>All of it; of more than so many bytes the beginning and the end, and between them how much is left out.</summary>
    public string ToText(int maxBytes = MaxBytes)
    {
        var half = (int)Math.Min(_length, Math.Min(maxBytes, MaxBytes) / 2);
        var last = (int)Math.Min(_length - half, half);
        var left = _length - half - last;
        var text =
            left == 0
                ? Encoding.UTF8.GetString([.. First(half), .. Last(last)])
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"{Encoding.UTF8.GetString(First(half))}\n[… {left} bytes left out …]\n{Encoding.UTF8.GetString(Last(last))}"
                );
        return text.Replace('\0', '\uFFFD'); // which no text here could hold
    }

    /// <summary>Reads to the end, or until it is cancelled.</summary>
    /// <param name="tell">Is told each line as it comes.</param>
    internal async Task ReadAsync(Stream stream, Action<string>? tell, CancellationToken cancellationToken)
    {
        var lines = tell is null ? null : new ProgramLines(tell);
        var block = new byte[16 * 1024];
        try
        {
            for (int count; (count = await stream.ReadAsync(block, cancellationToken)) > 0; )
            {
                Take(block.AsSpan(0, count));
                lines?.Take(block.AsSpan(0, count));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // what there is by now is what it wrote
        }

        lines?.End();
    }

    private void Take(ReadOnlySpan<byte> bytes)
    {
        foreach (var one in bytes)
        {
            if (_length < _head.Length)
            {
                _head[_length] = one;
            }
            else
            {
                _tail[(_length - _head.Length) % _tail.Length] = one;
            }

            _length++;
        }
    }

    private byte[] First(int count) => _head[..count];

    private byte[] Last(int count)
    {
        var bytes = new byte[count];
        for (var index = 0; index < count; index++)
        {
            var at = _length - count + index;
            bytes[index] = at < _head.Length ? _head[at] : _tail[(at - _head.Length) % _tail.Length];
        }

        return bytes;
    }
}
