using System.ComponentModel.DataAnnotations;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>How executions ended.</summary>
/// <param name="Jobs">1 to 200, each by itself.</param>
public sealed record FinishDocument([property: MaxLength(FinishDocument.MaxJobs)] IReadOnlyList<EndDocument>? Jobs)
    : IExampled<FinishDocument>
{
    public const int MaxJobs = 200;

    public static FinishDocument Example => new([EndDocument.Example]);
}

/// <param name="Lease">As the claim gave it.</param>
/// <param name="Outcome">
/// <c>succeeded</c>; <c>failed</c>: tried again as its policy says; <c>canceled</c>: it stopped since it was told to; <c>snoozed</c>: later
/// again, the attempt does not count; <c>released</c>: the same, for another worker.
/// </param>
/// <param name="Result">With <c>succeeded</c>: any JSON, 256 KiB at most.</param>
/// <param name="Error">
/// With <c>failed</c>; with <c>released</c> the code <c>unknown_kind</c> alone means something: the worker executes no jobs of that kind, it
/// comes again after a minute, and when nobody has known its kind for an hour it is failed (<c>no_handler</c>).
/// </param>
/// <param name="DelaySeconds">With <c>snoozed</c> (where it must be given) and <c>released</c>: 0 to 86,400.</param>
/// <param name="Logs">Lines that were not sent yet: stored before the end is, each once.</param>
public sealed record EndDocument(
    Guid? Id,
    [property: MaxLength(Workers.Lease.Length)] string? Lease,
    string? Outcome,
    JsonElement? Result = null,
    EndError? Error = null,
    double? DelaySeconds = null,
    EndLog? Logs = null
) : IExampled<EndDocument>
{
    public static readonly IReadOnlyList<string> Outcomes = ["succeeded", "failed", "canceled", "snoozed", "released"];

    public static EndDocument Example =>
        new(Story.Job, new Lease(1, Story.ClaimKey).ToString(), "succeeded", Story.Json("""{"letters":52}"""));

    internal JobOutcome ToOutcome() =>
        Outcome switch
        {
            "succeeded" => new JobOutcome.Succeeded(
                Result is { ValueKind: not JsonValueKind.Null } result ? result.GetRawText() : null
            ),
            "canceled" => JobOutcome.Canceled.Instance,
            "snoozed" => new JobOutcome.Snoozed(TimeSpan.FromSeconds(DelaySeconds ?? 0)),
            "released" when Error?.Code == JobProblems.UnknownKind.Code => new JobOutcome.Released(
                DelaySeconds is { } wait ? TimeSpan.FromSeconds(wait) : EndingStore.UnknownKindDelay,
                IsUnknown: true
            ),
            "released" => new JobOutcome.Released(TimeSpan.FromSeconds(DelaySeconds ?? 0)),
            _ => new JobOutcome.Failed(
                Error?.Code ?? "failed",
                Error?.Message ?? "",
                Error?.Retryable ?? true,
                Error?.RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                Error?.Detail?.GetRawText()
            ),
        };
}

/// <param name="Code">1–100 characters, of a set the worker keeps small: failures are grouped by it.</param>
/// <param name="Message">For people; up to 10,000 characters.</param>
/// <param name="Detail">Any JSON, for who looks into it: 64 KiB at most. No secrets: it is stored and shown.</param>
/// <param name="Retryable">False: it is failed for good.</param>
/// <param name="RetryAfterSeconds">Instead of the policy's delay: 0 to 86,400.</param>
public sealed record EndError(
    string? Code,
    [property: MaxLength(10_000)] string? Message = null,
    JsonElement? Detail = null,
    bool Retryable = true,
    double? RetryAfterSeconds = null
);

/// <summary>What makes the whole sound; each end is judged by itself (<see cref="EndRules"/>).</summary>
public sealed class FinishRules : AbstractValidator<FinishDocument>
{
    public FinishRules()
    {
        RuleFor(finish => finish.Jobs).HasItems(1, FinishDocument.MaxJobs);
        RuleForEach(finish => finish.Jobs).NotNull();
    }
}

/// <summary>What makes the word about an end sound.</summary>
public sealed class EndRules : AbstractValidator<EndDocument>
{
    private const int MaxResultBytes = 256 * 1024;

    public EndRules()
    {
        var most = EndingStore.MaxDelay.TotalSeconds;
        RuleFor(end => end.Id).NotNull();
        RuleFor(end => end.Lease).NotEmpty();
        RuleFor(end => end.Outcome).IsOneOf(EndDocument.Outcomes).WithErrorCode("invalid_outcome");
        RuleFor(end => end.Result)
            .Must(result => FitsIn(result, MaxResultBytes))
            .WithErrorCode("too_large")
            .WithMessage("result may be 256 KiB at most.");
        RuleFor(end => end.DelaySeconds).InclusiveBetween(0, most).WithErrorCode("delay_out_of_range");
        RuleFor(end => end.DelaySeconds).NotNull().When(end => end.Outcome == "snoozed");
        RuleFor(end => end.Error!).SetValidator(new EndErrorRules()).When(end => end.Error is not null);
        RuleFor(end => end.Logs!).SetValidator(new EndLogRules()).When(end => end.Logs is not null);
    }

    internal static bool FitsIn(JsonElement? json, int bytes) =>
        json is null || Encoding.UTF8.GetByteCount(json.Value.GetRawText()) <= bytes;
}

/// <summary>What makes an error sound.</summary>
public sealed class EndErrorRules : AbstractValidator<EndError>
{
    private const int MaxDetailBytes = 64 * 1024;

    public EndErrorRules()
    {
        RuleFor(error => error.Code).NotEmpty().MaximumLength(100);
        RuleFor(error => error.Message).MaximumLength(10_000);
        RuleFor(error => error.RetryAfterSeconds)
            .InclusiveBetween(0, EndingStore.MaxDelay.TotalSeconds)
            .WithErrorCode("delay_out_of_range");
        RuleFor(error => error.Detail)
            .Must(detail => EndRules.FitsIn(detail, MaxDetailBytes))
            .WithErrorCode("too_large")
            .WithMessage("detail may be 64 KiB at most.");
    }
}

/// <summary>What became of the ends that were told.</summary>
/// <param name="Results">One for each, in their order.</param>
public sealed record FinishView([property: MaxLength(FinishDocument.MaxJobs)] IReadOnlyList<EndView> Results)
    : IExampled<FinishView>
{
    public static FinishView Example => new([EndView.Example]);
}

/// <param name="Status">
/// <c>accepted</c>; <c>duplicate</c>: this lease was ended so before, and that counts; <c>lease_lost</c>: the job is another's by now, and
/// what was said is dropped; <c>invalid</c>: see the problem, which is 404 where there is no such job, or none any more.
/// </param>
public sealed record EndView(
    Guid? Id,
    [property: AllowedValues("accepted", "duplicate", "lease_lost", "invalid")] string Status,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ProblemBody? Problem
) : IExampled<EndView>
{
    public static EndView Example => new(Story.Job, "accepted", null);
}
