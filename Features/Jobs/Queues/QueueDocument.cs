using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using FluentValidation;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>How many jobs may start in how long.</summary>
/// <param name="Count">1 to 1,000,000 starts, retries counted.</param>
/// <param name="Seconds">In so many seconds, 1 to 86,400.</param>
/// <param name="Burst">So many may start at once after a pause; null: 1.</param>
public sealed record QueueRate(int? Count, int? Seconds, int? Burst = null);

/// <summary>A queue as its author writes it.</summary>
/// <param name="Name">1 to 63 lower-case letters, digits and hyphens; it stays.</param>
/// <param name="ServedBy">
/// Who executes its jobs: <c>service</c>, this service, or <c>workers</c>, programs that claim over the API. Null: <c>workers</c>,
/// but for the queues that every project has, which are the service's.
/// </param>
/// <param name="MaxRunning">No more of its jobs run at once, wherever; null: as many as whoever executes them takes.</param>
/// <param name="Rate">No more of its jobs start in a time; null: any number.</param>
/// <param name="LaneLimit">How many jobs of one lane run at once, 1 to 1,000; null: any number.</param>
/// <param name="LaneOrdered">Jobs of one lane run one after the other, in the order they were enqueued in; null: false.</param>
/// <param name="Weight">Its share among the queues of the project, 1 to 1,000; null: 10.</param>
/// <param name="MaxDepth">With so many unfinished jobs no more are taken in; null: any number.</param>
/// <param name="LeaseSeconds">
/// After so many seconds without a sign of whoever executes it a job is given to another, 10 to 900; null: 30.
/// </param>
/// <param name="MaxRunSeconds">An execution may take so long, up to a week; null: as long as it gives signs.</param>
/// <param name="Retry">How failed jobs are retried that do not say so themselves; null: 20 attempts, after 1 s to 1 h.</param>
public sealed record QueueDocument(
    string? Name,
    [property: WordOf(typeof(QueueServer))] string? ServedBy = null,
    int? MaxRunning = null,
    QueueRate? Rate = null,
    short? LaneLimit = null,
    bool? LaneOrdered = null,
    short? Weight = null,
    int? MaxDepth = null,
    short? LeaseSeconds = null,
    int? MaxRunSeconds = null,
    RetryPolicy? Retry = null
) : INamedDocument<QueueDocument>, IExampled<QueueDocument>
{
    public const short DefaultWeight = 10;

    public const short DefaultLeaseSeconds = 30;

    public static QueueDocument Example =>
        new("refunds", QueueServer.Workers, MaxRunning: 4, Rate: new QueueRate(100, 60, 10), LaneLimit: 1);

    public QueueDocument Named(string name) => this with { Name = name };
}

/// <summary>Who executes the jobs of a queue.</summary>
public static class QueueServer
{
    public const string Service = "service";

    public const string Workers = "workers";

    public static readonly IReadOnlyList<string> All = [Service, Workers];

    /// <summary>Where the author does not say.</summary>
    public static string Of(string name) => BuiltInQueues.Holds(name) ? Service : Workers;
}

/// <summary>What makes a document sound.</summary>
public sealed class QueueRules : AbstractValidator<QueueDocument>
{
    public const int MaxRunning = 100_000;
    public const int MaxDepth = 100_000_000;
    public const short MaxLaneLimit = 1_000;
    public const short MaxWeight = 1_000;
    public const int MaxRunSeconds = 7 * 24 * 60 * 60;
    public const short MinLeaseSeconds = 10;
    public const short MaxLeaseSeconds = 900;

    public QueueRules()
    {
        RuleFor(document => document.Name!).IsSlug();
        RuleFor(document => document.ServedBy)
            .IsOneOf(QueueServer.All)
            .When(document => document.ServedBy is not null)
            .DependentRules(() =>
                RuleFor(document => document.ServedBy)
                    .Must(server => server is null or QueueServer.Service)
                    .When(document => BuiltInQueues.Holds(document.Name))
                    .WithErrorCode("built_in")
                    .WithMessage(document => $"The queue {document.Name} is worked on by the service itself.")
            );
        RuleFor(document => document.MaxRunning).InclusiveBetween(1, MaxRunning);
        RuleFor(document => document.Rate!)
            .SetValidator(new QueueRateRules())
            .When(document => document.Rate is not null);
        RuleFor(document => document.LaneLimit).InclusiveBetween((short)1, MaxLaneLimit);
        RuleFor(document => document.LaneLimit)
            .Must(limit => limit is null or 1)
            .When(document => document.LaneOrdered == true)
            .WithErrorCode("not_ordered")
            .WithMessage("lane_limit is 1, or left out, where lane_ordered is true.");
        RuleFor(document => document.Weight).InclusiveBetween((short)1, MaxWeight);
        RuleFor(document => document.MaxDepth).InclusiveBetween(1, MaxDepth);
        RuleFor(document => document.LeaseSeconds).InclusiveBetween(MinLeaseSeconds, MaxLeaseSeconds);
        RuleFor(document => document.MaxRunSeconds).InclusiveBetween(1, MaxRunSeconds);
        RuleFor(document => document.Retry!)
            .SetValidator(new RetryPolicyRules())
            .When(document => document.Retry is not null);
    }
}

/// <summary>What makes a rate sound.</summary>
public sealed class QueueRateRules : AbstractValidator<QueueRate>
{
    public const int MaxCount = 1_000_000;
    public const int MaxSeconds = 24 * 60 * 60;

    public QueueRateRules()
    {
        RuleFor(rate => rate.Count).NotNull().InclusiveBetween(1, MaxCount);
        RuleFor(rate => rate.Seconds).NotNull().InclusiveBetween(1, MaxSeconds);
        RuleFor(rate => rate.Burst).InclusiveBetween(1, MaxCount);
    }
}
