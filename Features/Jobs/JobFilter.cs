using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Jobs;

/// <summary>Which jobs are meant: those that fit every member that is given.</summary>
/// <param name="State">One that the action knows what to do with; null: any such.</param>
/// <param name="ErrorCode">What a job that failed failed with.</param>
/// <param name="CreatedFrom">Made then or later.</param>
/// <param name="CreatedBefore">Made before.</param>
public sealed record JobFilter(
    [property: MaxLength(1_000)] IReadOnlyList<Guid>? Ids = null,
    [property: WordOf(typeof(JobState))] string? State = null,
    [property: MaxLength(100)] string? Queue = null,
    [property: MaxLength(100)] string? Kind = null,
    [property: MaxLength(200)] string? Tag = null,
    [property: MaxLength(200)] string? Lane = null,
    [property: MaxLength(100)] string? ErrorCode = null,
    DateTime? CreatedFrom = null,
    DateTime? CreatedBefore = null
)
{
    internal bool IsEmpty =>
        (Ids, State, Queue, Kind) is (null, null, null, null)
        && (Tag, Lane, ErrorCode, CreatedFrom, CreatedBefore) is (null, null, null, null, null);
}

/// <summary>Something to be done to many jobs.</summary>
/// <param name="Filter">At least one member must be given.</param>
/// <param name="DryRun">Only counts how many there are.</param>
/// <param name="Limit">How many are looked at in this request, 1 to 1,000: each request is one transaction.</param>
/// <param name="After">Goes on behind this job: <c>after</c> of the answer before.</param>
public sealed record JobsAction(
    JobFilter? Filter,
    bool DryRun = false,
    [property: Range(1, JobsAction.MaxJobs)] int Limit = JobsAction.MaxJobs,
    Guid? After = null
) : IExampled<JobsAction>
{
    public const int MaxJobs = 1_000;

    public static JobsAction Example => new(new JobFilter(Queue: "default", Kind: "refund"), DryRun: true);
}

/// <param name="Code">As a request for it alone would be answered.</param>
public sealed record RefusedJob(Guid Id, [property: MaxLength(63)] string Code);

/// <summary>What was done to many jobs.</summary>
/// <param name="Count">Of a dry run: how many there are, counted to 100,001; else null.</param>
/// <param name="Capped">There are more than were counted.</param>
/// <param name="Affected">To how many it was done now.</param>
/// <param name="Left">There may be more: send the request again, with <c>after</c>.</param>
/// <param name="After">The last job that was looked at; null: none was.</param>
/// <param name="Refused">Those to which it could not be done, and stay as they are.</param>
public sealed record JobsReport(
    [property: Range(0, JobsReport.MaxCount)] int? Count,
    bool Capped,
    [property: Range(0, JobsAction.MaxJobs)] int Affected,
    bool Left,
    Guid? After,
    [property: MaxLength(JobsAction.MaxJobs)] IReadOnlyList<RefusedJob> Refused
) : IExampled<JobsReport>
{
    public const int MaxCount = 100_001;

    public static JobsReport Example => new(900, false, 0, false, null, []);

    internal static JobsReport Counted(int count) => new(count, count == MaxCount, 0, count > 0, null, []);
}

/// <summary>What makes such a request sound, whatever the action.</summary>
internal sealed class JobsActionRules : AbstractValidator<JobsAction>
{
    public JobsActionRules()
    {
        RuleFor(action => action.Limit).InclusiveBetween(1, JobsAction.MaxJobs);
        RuleFor(action => action.Filter)
            .Must(filter => filter is { IsEmpty: false })
            .WithErrorCode("required")
            .WithMessage("Say which jobs are meant: at least one member of the filter.");
        RuleFor(action => action.Filter!.Ids)
            .Must(ids => ids!.Count <= JobsAction.MaxJobs)
            .When(action => action.Filter?.Ids is not null)
            .WithErrorCode("too_many")
            .WithMessage("1,000 at most.");
    }
}
