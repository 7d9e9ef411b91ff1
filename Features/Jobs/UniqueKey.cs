using System.Text.Json;
using Bellhop.Infrastructure.Http;
using FluentValidation;

namespace Bellhop.Features.Jobs;

/// <summary>Keeps a job unique in its project: while it holds the key, no other job can take it.</summary>
/// <remarks>
/// A key is a row of its own beside the job, so that no change of the job's state can ever collide with it: a retry, a snooze or a
/// rescue neither loses the key nor meets another holder. An enqueue that is rolled back leaves no key behind.
/// </remarks>
/// <param name="Key">1–200 characters, of the project; queues and kinds do not divide it.</param>
/// <param name="Until">
/// <c>finish</c>: however often it is retried; <c>start</c>: until it is first claimed; <c>seconds</c>: for so long, whatever becomes of it.
/// </param>
/// <param name="Seconds">With <c>seconds</c>: 1 to 31,536,000.</param>
/// <param name="OnConflict">
/// <c>keep</c>: the holder's id is answered and nothing is enqueued; <c>reject</c>: 409; <c>replace</c>: the holder, where it does not run,
/// becomes the job that is asked for, in all: the last of a burst runs.
/// </param>
public sealed record UniqueKey(
    string? Key,
    string Until = UniqueKey.Finish,
    int? Seconds = null,
    string OnConflict = UniqueKey.Keep
)
{
    public const string Start = "start";
    public const string Finish = "finish";
    public const string ForSeconds = "seconds";
    public const string Keep = "keep";
    public const string Replace = "replace";
    public const string Reject = "reject";

    public static readonly IReadOnlyList<string> Untils = [Start, Finish, ForSeconds];
    public static readonly IReadOnlyList<string> Conflicts = [Keep, Replace, Reject];

    /// <summary>As numbered in <c>job_keys.until</c>.</summary>
    internal short UntilNumber => (short)((List<string>)[.. Untils]).IndexOf(Until);

    /// <summary>What is stored with the job: a retry of it takes the key again.</summary>
    internal string ToJson() =>
        JsonSerializer.Serialize(
            new
            {
                Key,
                Until,
                Seconds,
            },
            JsonRules.Options
        );
}

/// <summary>What makes a key sound.</summary>
public sealed class UniqueKeyRules : AbstractValidator<UniqueKey>
{
    private const int Year = 365 * 24 * 60 * 60;

    public UniqueKeyRules()
    {
        RuleFor(unique => unique.Key).NotEmpty().MaximumLength(200);
        RuleFor(unique => unique.Until).IsOneOf(UniqueKey.Untils);
        RuleFor(unique => unique.OnConflict).IsOneOf(UniqueKey.Conflicts);
        RuleFor(unique => unique.Seconds).InclusiveBetween(1, Year);
        RuleFor(unique => unique.Seconds)
            .Must((unique, seconds) => seconds.HasValue == (unique.Until == UniqueKey.ForSeconds))
            .WithErrorCode("seconds_mismatch")
            .WithMessage("seconds is given where until is seconds, and only there.");
    }
}
