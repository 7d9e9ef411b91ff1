using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs;

/// <summary>How a job is canceled.</summary>
/// <param name="Force">Whatever its handler does, and at once.</param>
/// <param name="GraceSeconds">How long its handler has to stop, an hour at most.</param>
public sealed record JobCancel(
    bool Force = false,
    [property: Range(0, JobCancel.MaxGraceSeconds)] int GraceSeconds = JobCancel.UsualGraceSeconds
) : IExampled<JobCancel>
{
    public const int UsualGraceSeconds = 30;
    public const int MaxGraceSeconds = 3_600;

    public static JobCancel Example => new(GraceSeconds: 10);
}
