using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Jobs;

/// <summary>A job as who enqueues it writes it.</summary>
/// <param name="Kind">What executes it, such as <c>noop</c>.</param>
/// <param name="Args">An object of at most 256 KiB.</param>
/// <param name="RunAt">Not before then; null: now.</param>
/// <param name="Priority">1 (first) to 4.</param>
/// <param name="MaxAttempts">1–1000; null: as the retry policy says, else as the queue does.</param>
/// <param name="Retry">How failed attempts are retried; null: as the queue says.</param>
public sealed record JobDocument(
    string? Kind,
    JsonElement? Args = null,
    string? Queue = JobQueue.Default,
    DateTime? RunAt = null,
    short Priority = 3,
    short? MaxAttempts = null,
    RetryPolicy? Retry = null
) : IExampled<JobDocument>
{
    public static JobDocument Example =>
        new("log", Story.Json("""{"message":"ticket 7 about order 1042"}"""), MaxAttempts: 5);

    public NewJob ToJob(Guid projectId, Guid id) =>
        new()
        {
            ProjectId = projectId,
            Id = id,
            Queue = Queue!,
            Kind = Kind!,
            Args = ArgsText(Args),
            Priority = Priority,
            RunAt = RunAt,
            MaxAttempts = MaxAttempts ?? (short?)Retry?.MaxAttempts,
            Retry = Retry?.ToJson(),
            TraceParent = Activity.Current?.Id,
        };

    internal static string ArgsText(JsonElement? args) =>
        args is { ValueKind: JsonValueKind.Object } given ? given.GetRawText() : "{}";
}

/// <summary>Many jobs.</summary>
/// <param name="Jobs">1 to 1,000; each as for one job alone.</param>
public sealed record JobDocuments(
    [property: Length(1, Bulk.MaxItems), ItemsOf(typeof(JobDocument))] IReadOnlyList<JsonElement>? Jobs
) : IExampled<JobDocuments>
{
    public static JobDocuments Example =>
        new([JsonSerializer.SerializeToElement(JobDocument.Example, JsonRules.Options)]);
}

/// <summary>What makes a document sound.</summary>
public sealed class JobRules : AbstractValidator<JobDocument>
{
    public const int MaxArgsBytes = 256 * 1024;

    public JobRules()
    {
        RuleFor(document => document.Kind).NotEmpty().MaximumLength(100);
        RuleFor(document => document.Queue).NotEmpty().MaximumLength(100);
        RuleFor(document => document.Args).IsObject();
        RuleFor(document => document.RunAt)
            .Must(runAt => runAt is null or { Year: >= 2000 and < 9999 })
            .WithErrorCode("out_of_range")
            .WithMessage("run_at must lie between the years 2000 and 9998.");
        RuleFor(document => document.Priority).InclusiveBetween((short)1, (short)4);
        RuleFor(document => document.MaxAttempts).InclusiveBetween((short)1, (short)1000);
        RuleFor(document => document.Retry!)
            .SetValidator(new RetryPolicyRules())
            .When(document => document.Retry is not null);
    }

    /// <summary>413: a sound job is too large all the same.</summary>
    public static Problem? CheckSize(JobDocument document) =>
        Encoding.UTF8.GetByteCount(JobDocument.ArgsText(document.Args)) > MaxArgsBytes
            ? Problems.TooLarge.Because(
                "args may be 256 KiB at most.",
                FieldError.At("/args", "too_large", "256 KiB at most.")
            )
            : null;
}
