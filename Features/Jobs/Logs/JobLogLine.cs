using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>A line that an execution of a job wrote.</summary>
/// <param name="Seq">Its place among the lines of the job, from 1; of a <c>left_out</c>, that of the last line it stands for.</param>
/// <param name="At">By the clock of who wrote it, but not before its execution began nor after it was stored.</param>
/// <param name="Level"><c>debug info warning error</c>; <c>left_out</c>: here lines are missing, as the text says.</param>
/// <param name="Text">8 KiB at most.</param>
public sealed record JobLogLine(
    long Seq,
    DateTime At,
    [property: WordOf(typeof(JobLogLevels))] string Level,
    [property: MaxLength(8 * 1024)] string Text
) : IExampled<JobLogLine>
{
    public static JobLogLine Example => new(1, Story.After(14), JobLogLevel.Info.Word(), "ticket 7 about order 1042");

    /// <summary>Lines in the order of <c>seq</c>, with a mark wherever some are missing behind the one that was seen last.</summary>
    /// <remarks>Lines go missing when the log is longer than what is kept of one, and with the days whose time is over.</remarks>
    internal static IEnumerable<JobLogLine> Show(IEnumerable<StoredLine> lines, long after)
    {
        foreach (var line in lines)
        {
            if (line.Seq > after + 1)
            {
                yield return new JobLogLine(
                    line.Seq - 1,
                    line.At,
                    JobLogLevel.LeftOut.Word(),
                    StoredLine.LeftOut(line.Seq - 1 - after)
                );
            }

            var shown = line.Show();
            yield return shown;
            after = shown.Seq;
        }
    }
}

/// <summary>A row of <c>job_logs</c>.</summary>
/// <param name="Number">Of a mark, minus how many lines it stands for, which are those from its <c>seq</c> on.</param>
internal sealed record StoredLine(long Seq, DateTime At, short Level, string Line, int Number)
{
    public JobLogLine Show() => new(Number < 0 ? Seq - Number - 1 : Seq, At, ((JobLogLevel)Level).Word(), Line);

    public static string LeftOut(long count) => string.Create(CultureInfo.InvariantCulture, $"lines left out: {count}");
}
