using System.ComponentModel.DataAnnotations;
using System.Text;
using Bellhop.Features.Jobs.Workers;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>Lines that an execution wrote.</summary>
/// <param name="Lease">As the claim gave it.</param>
/// <param name="FromSeq">The number of the first line: counted by the worker, from 1 for each lease.</param>
/// <param name="Lines">1 to 200, in the order they were written.</param>
public sealed record LogDocument(
    [property: MaxLength(Workers.Lease.Length)] string? Lease,
    [property: Range(1, LogDocument.MaxSeq)] int? FromSeq,
    [property: Length(1, LogDocument.MaxLines)] IReadOnlyList<LogLineDocument>? Lines
) : IExampled<LogDocument>
{
    public const int MaxLines = 200;
    public const int MaxSeq = 1_000_000_000;

    public static LogDocument Example =>
        new(
            new Lease(1, Story.ClaimKey).ToString(),
            1,
            [new LogLineDocument("writing to the customer of order 1042", "info", Story.After(14))]
        );

    internal WrittenLines ToLines(Guid projectId, Guid jobId, Lease lease, DateTime now) =>
        new(
            projectId,
            jobId,
            lease.ClaimNo,
            lease.ClaimKey,
            FromSeq!.Value,
            [.. Lines!.Select(line => line.ToLine(now))]
        );
}

/// <summary>The last lines of an execution, told with its end.</summary>
/// <param name="FromSeq">The number of the first line: counted by the worker, from 1 for each lease.</param>
/// <param name="Lines">1 to 200, in the order they were written.</param>
public sealed record EndLog(
    [property: Range(1, LogDocument.MaxSeq)] int? FromSeq,
    [property: Length(1, LogDocument.MaxLines)] IReadOnlyList<LogLineDocument>? Lines
)
{
    internal WrittenLines ToLines(ClaimedJob job, DateTime now) =>
        new(job.ProjectId, job.Id, job.ClaimNo, null, FromSeq!.Value, [.. Lines!.Select(line => line.ToLine(now))]);
}

/// <param name="Text">8 KiB at most. No secrets: it is stored and shown.</param>
/// <param name="Level"><c>debug info warning error</c>; left out: <c>info</c>.</param>
/// <param name="At">By the worker's clock; what is before the claim or later than now is shown as that. Left out: now.</param>
public sealed record LogLineDocument(
    [property: MaxLength(WrittenLines.MaxLineBytes)] string? Text,
    string? Level = null,
    DateTime? At = null
)
{
    internal WrittenLine ToLine(DateTime now) =>
        new(At?.ToUniversalTime() ?? now, JobLogLevels.Of(Level ?? JobLogLevel.Info.Word()), WrittenLines.Fit(Text!));
}

/// <summary>What makes lines sound.</summary>
public sealed class LogRules : AbstractValidator<LogDocument>
{
    public LogRules()
    {
        RuleFor(log => log.Lease).NotEmpty();
        RuleFor(log => log.FromSeq).NotNull().InclusiveBetween(1, LogDocument.MaxSeq);
        RuleFor(log => log.Lines).NotNull().HasItems(1, LogDocument.MaxLines);
        RuleForEach(log => log.Lines).NotNull().SetValidator(new LogLineRules());
    }
}

/// <summary>The same of lines that are told with an end.</summary>
public sealed class EndLogRules : AbstractValidator<EndLog>
{
    public EndLogRules()
    {
        RuleFor(log => log.FromSeq).NotNull().InclusiveBetween(1, LogDocument.MaxSeq);
        RuleFor(log => log.Lines).NotNull().HasItems(1, LogDocument.MaxLines);
        RuleForEach(log => log.Lines).NotNull().SetValidator(new LogLineRules());
    }
}

internal sealed class LogLineRules : AbstractValidator<LogLineDocument>
{
    public LogLineRules()
    {
        RuleFor(line => line.Text).NotNull();
        RuleFor(line => line.Text)
            .Must(text => Encoding.UTF8.GetByteCount(text ?? "") <= WrittenLines.MaxLineBytes)
            .WithErrorCode("too_large")
            .WithMessage("A line may be 8 KiB at most.");
        RuleFor(line => line.Level).IsOneOf(JobLogLevels.Written).When(line => line.Level is not null);
    }
}
