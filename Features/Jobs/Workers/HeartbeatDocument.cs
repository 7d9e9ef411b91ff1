using System.ComponentModel.DataAnnotations;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>A worker says that it is there, and what it still executes.</summary>
/// <param name="Worker">Who says so.</param>
/// <param name="Jobs">Up to 1,000 that it holds.</param>
public sealed record HeartbeatDocument(
    WorkerDocument? Worker,
    [property: MaxLength(HeartbeatRules.MaxJobs)] IReadOnlyList<BeatDocument>? Jobs
) : IExampled<HeartbeatDocument>
{
    public static HeartbeatDocument Example =>
        new(
            new WorkerDocument(Story.Worker, "mailer-1"),
            [new BeatDocument(Story.Job, new Lease(1, Story.ClaimKey).ToString(), 0.4, "21 of 52 letters")]
        );
}

/// <param name="Lease">As the claim gave it.</param>
/// <param name="Progress">0 to 1.</param>
/// <param name="Note">What it is at, for people: up to 500 characters.</param>
/// <param name="Checkpoint">Where the next attempt goes on, should there be one: any JSON, 64 KiB at most. Left out, it stays as it is.</param>
public sealed record BeatDocument(
    Guid? Id,
    [property: MaxLength(Workers.Lease.Length)] string? Lease,
    double? Progress = null,
    [property: MaxLength(500)] string? Note = null,
    JsonElement? Checkpoint = null
);

/// <summary>What makes a heartbeat sound.</summary>
public sealed class HeartbeatRules : AbstractValidator<HeartbeatDocument>
{
    public const int MaxJobs = 1_000;

    public HeartbeatRules()
    {
        RuleFor(beat => beat.Worker).NotNull();
        RuleFor(beat => beat.Worker!).SetValidator(new WorkerRules()).When(beat => beat.Worker is not null);
        RuleFor(beat => beat.Jobs).HasItems(0, MaxJobs);
        RuleForEach(beat => beat.Jobs).NotNull();
        RuleForEach(beat => beat.Jobs).SetValidator(new BeatRules());
    }
}

/// <summary>What makes the word about one job sound.</summary>
public sealed class BeatRules : AbstractValidator<BeatDocument>
{
    private const int MaxCheckpointBytes = 64 * 1024;

    public BeatRules()
    {
        RuleFor(beat => beat.Id).NotNull();
        RuleFor(beat => beat.Lease).NotEmpty();
        RuleFor(beat => beat.Progress).InclusiveBetween(0, 1);
        RuleFor(beat => beat.Note).MaximumLength(500);
        RuleFor(beat => beat.Checkpoint)
            .Must(checkpoint =>
                checkpoint is null || Encoding.UTF8.GetByteCount(checkpoint.Value.GetRawText()) <= MaxCheckpointBytes
            )
            .WithErrorCode("too_large")
            .WithMessage("checkpoint may be 64 KiB at most.");
    }
}

/// <summary>What became of the leases.</summary>
/// <param name="HeartbeatSeconds">When to beat again: a third of the shortest lease, sooner where something is to be stopped.</param>
public sealed record HeartbeatView(
    [property: MaxLength(HeartbeatRules.MaxJobs)] IReadOnlyList<BeatView> Jobs,
    [property: AllowedValues("run", "quiet", "stop")] string Directive,
    [property: Range(1, 300)] int HeartbeatSeconds
) : IExampled<HeartbeatView>
{
    public static HeartbeatView Example => new([new BeatView(Story.Job, "ok", 30)], "run", 10);
}

/// <param name="Status">
/// <c>ok</c>: the lease begins anew; <c>cancel</c>: so it does, and the handler is to stop; <c>lost</c>: somebody else has the job or soon
/// will, so stop before anything else is done; <c>deadline</c>: it took longer than the queue allows, and the lease is not extended.
/// </param>
/// <param name="LeaseSeconds">How long the lease runs from this answer on; left out where it was not extended.</param>
public sealed record BeatView(
    Guid Id,
    [property: AllowedValues("ok", "cancel", "lost", "deadline")] string Status,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), Range(10, 900)] int? LeaseSeconds
);
