using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
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
/// <param name="Lane">1–200 characters: jobs of one lane run as many at once as the queue's <c>lane_limit</c>, or one after the other.</param>
/// <param name="Unique">Keeps it unique in the project.</param>
/// <param name="Tags">Up to 20 slugs, by which jobs are found.</param>
/// <param name="StartBefore">Not begun by then, it is expired.</param>
/// <param name="DependsOn">Jobs whose ends it waits for: ids, or <c>#0</c>, <c>#1</c>, … for jobs before it in the same request.</param>
/// <param name="DependsWhen"><c>succeeded</c>, <c>finished</c> (however) or <c>failed</c> (anything but success): the ends that count.</param>
/// <param name="OnParentFailure">When one of them ends otherwise: <c>cancel</c> it, or let it <c>wait</c> until that one is retried.</param>
/// <param name="Held">It waits until it is freed. While it is held, further jobs can be put before it.</param>
/// <param name="Blocks">Held jobs that are to wait for this one too, as if they had named it in <c>depends_on</c>.</param>
public sealed record JobDocument(
    string? Kind,
    JsonElement? Args = null,
    string? Queue = JobQueue.Default,
    DateTime? RunAt = null,
    short Priority = 3,
    short? MaxAttempts = null,
    RetryPolicy? Retry = null,
    [property: MaxLength(JobRules.MaxLane)] string? Lane = null,
    UniqueKey? Unique = null,
    IReadOnlyList<string>? Tags = null,
    DateTime? StartBefore = null,
    [property: Each(JobRules.MaxReference)] IReadOnlyList<string>? DependsOn = null,
    string DependsWhen = JobRules.Succeeded,
    string OnParentFailure = JobRules.Cancel,
    bool Held = false,
    IReadOnlyList<Guid>? Blocks = null
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
            Lane = Lane,
            Tags = Tags?.Distinct(StringComparer.Ordinal).ToArray() ?? [],
            StartBefore = StartBefore,
            Unique = Unique,
            HeldBack = Held ? HeldBack.Operator : HeldBack.Nothing,
            // also of a job that waits for none yet: an operator may hold it, and others may be put before it
            Needs =
                (DependsWhen, OnParentFailure) == (JobRules.Succeeded, JobRules.Cancel)
                    ? null
                    : JobRules.EndsOf(DependsWhen),
            IsPatient = OnParentFailure == JobRules.Wait,
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
    public const int MaxLane = 200;
    public const int MaxReference = 36;
    public const string Succeeded = "succeeded";
    public const string Finished = "finished";
    public const string Failed = "failed";
    public const string Cancel = "cancel";
    public const string Wait = "wait";
    private const int MaxParents = 1_000;
    private const int MaxBlocked = 100;

    public JobRules()
    {
        RuleFor(document => document.Kind).NotEmpty().MaximumLength(100);
        RuleFor(document => document.Queue).NotEmpty().MaximumLength(100);
        RuleFor(document => document.Args).IsObject();
        RuleFor(document => document.RunAt)
            .Must(runAt => runAt is null or { Year: >= 2000 and < 9999 })
            .WithErrorCode("out_of_range")
            .WithMessage("run_at must lie between the years 2000 and 9998.");
        RuleFor(document => document.StartBefore)
            .Must(time => time is null or { Year: >= 2000 and < 9999 })
            .WithErrorCode("out_of_range")
            .WithMessage("start_before must lie between the years 2000 and 9998.");
        RuleFor(document => document.StartBefore)
            .Must((document, time) => time is null || document.RunAt is null || time > document.RunAt)
            .WithErrorCode("before_run_at")
            .WithMessage("start_before must be later than run_at.");
        RuleFor(document => document.Lane)
            .Must(lane => lane is null or { Length: > 0 and <= MaxLane })
            .WithErrorCode("out_of_range")
            .WithMessage($"lane has 1 to {MaxLane} characters.");
        RuleFor(document => document.Unique!)
            .SetValidator(new UniqueKeyRules())
            .When(document => document.Unique is not null);
        this.AreTags(document => document.Tags);
        RuleFor(document => document.DependsOn).HasItems(0, MaxParents);
        RuleForEach(document => document.DependsOn)
            .Must(parent => Guid.TryParseExact(parent, "D", out _) || PlaceOf(parent) is not null)
            .WithErrorCode("invalid_reference")
            .WithMessage("A job is named by its id, or by # and its place in the request.");
        RuleFor(document => document.DependsOn)
            .Must((document, parents) => parents is not { Count: > 0 } || !IsReplacement(document))
            .WithErrorCode("not_replaceable")
            .WithMessage(
                "A job that may take another's place waits for what that one waits for, and for nothing else."
            );
        RuleFor(document => document.Blocks)
            .Must((document, blocked) => blocked is not { Count: > 0 } || !IsReplacement(document))
            .WithErrorCode("not_replaceable")
            .WithMessage("A job that may take another's place is put before no others.");
        RuleFor(document => document.DependsWhen).IsOneOf([Succeeded, Finished, Failed]);
        RuleFor(document => document.OnParentFailure).IsOneOf([Cancel, Wait]);
        RuleFor(document => document.Blocks).HasItems(0, MaxBlocked);
        RuleFor(document => document.Priority).InclusiveBetween((short)1, (short)4);
        RuleFor(document => document.MaxAttempts).InclusiveBetween((short)1, (short)1000);
        RuleFor(document => document.Retry!)
            .SetValidator(new RetryPolicyRules())
            .When(document => document.Retry is not null);
    }

    private static bool IsReplacement(JobDocument document) => document.Unique?.OnConflict == UniqueKey.Replace;

    /// <summary>The place in the request that <c>#n</c> names; null where the reference is an id.</summary>
    internal static int? PlaceOf(string? reference) =>
        reference is ['#', .. var number]
        && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var place)
            ? place
            : null;

    internal static ParentEnds EndsOf(string dependsWhen) =>
        dependsWhen switch
        {
            Finished => ParentEnds.Any,
            Failed => ParentEnds.NotSucceeded,
            _ => ParentEnds.Succeeded,
        };

    /// <summary>413: a sound job is too large all the same.</summary>
    public static Problem? CheckSize(JobDocument document) =>
        Encoding.UTF8.GetByteCount(JobDocument.ArgsText(document.Args)) > MaxArgsBytes
            ? Problems.TooLarge.Because(
                "args may be 256 KiB at most.",
                FieldError.At("/args", "too_large", "256 KiB at most.")
            )
            : null;
}
