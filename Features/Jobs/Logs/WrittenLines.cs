using System.Text;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>A line as an execution wrote it.</summary>
/// <param name="Text">Fit to be stored: see <see cref="WrittenLines.Fit"/>.</param>
public readonly record struct WrittenLine(DateTime At, JobLogLevel Level, string Text);

/// <summary>Lines of one execution, numbered from one on in the order it wrote them.</summary>
/// <param name="ClaimKey">What else must be the claim's; null: this process holds the job.</param>
/// <param name="FromNumber">The number of the first one.</param>
public sealed record WrittenLines(
    Guid ProjectId,
    Guid JobId,
    long ClaimNo,
    Guid? ClaimKey,
    int FromNumber,
    IReadOnlyList<WrittenLine> Lines
)
{
    public const int MaxLineBytes = 8 * 1024;
    private const string Cut = "…";

    /// <summary>The text without what no text of the database holds, and cut where it is longer than a line may be.</summary>
    public static string Fit(string text)
    {
        var sound = text.Replace('\0', '\uFFFD');
        if (Encoding.UTF8.GetByteCount(sound) > MaxLineBytes)
        {
            Encoding
                .UTF8.GetEncoder()
                .Convert(
                    sound,
                    new byte[MaxLineBytes - Encoding.UTF8.GetByteCount(Cut)],
                    flush: false,
                    out var taken,
                    out _,
                    out _
                );
            sound = sound[..(taken - (char.IsHighSurrogate(sound[taken - 1]) ? 1 : 0))] + Cut;
        }

        // half a character, which would be refused
        return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(sound));
    }
}
