using System.Text;

namespace Bellhop.Infrastructure.Background;

/// <summary>Tells the lines of what a program writes as they come: UTF-8, without their ends, the longest in pieces.</summary>
internal sealed class ProgramLines(Action<string> tell)
{
    private const int MaxLength = 4 * 1024;

    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly StringBuilder _line = new();

    public void Take(ReadOnlySpan<byte> bytes)
    {
        var text = new char[_decoder.GetCharCount(bytes, flush: false)];
        _decoder.GetChars(bytes, text, flush: false);
        foreach (var one in text)
        {
            if (one == '\n')
            {
                Tell();
                continue;
            }

            _line.Append(one);
            if (_line.Length >= MaxLength && !char.IsHighSurrogate(one))
            {
                Tell();
            }
        }
    }

    /// <summary>Tells what has no end, if there is some.</summary>
    public void End()
    {
        if (_line.Length > 0)
        {
            Tell();
        }
    }

    private void Tell()
    {
        tell(_line.ToString().TrimEnd('\r'));
        _line.Clear();
    }
}
