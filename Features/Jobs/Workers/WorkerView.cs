using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>A remote worker, as it is known.</summary>
/// <param name="Id">As it gave it.</param>
/// <param name="Queues">Those it claimed from last.</param>
/// <param name="Directive">What it is told when it asks: <c>run quiet stop</c>.</param>
/// <param name="Leases">How many jobs it holds now.</param>
/// <param name="LastSeenAt">To half a minute.</param>
public sealed record WorkerView(
    Guid Id,
    [property: MaxLength(100)] string Name,
    [property: MaxLength(100)] string? Version,
    [property: MaxLength(200)] string? Host,
    [property: MaxLength(ClaimRules.MaxQueues), Each(100)] IReadOnlyList<string> Queues,
    [property: AllowedValues("run", "quiet", "stop")] string Directive,
    [property: Range(0, 100_000)] int Leases,
    DateTime FirstSeenAt,
    DateTime LastSeenAt
) : IExampled<WorkerView>
{
    public static WorkerView Example =>
        new(Story.Worker, "mailer-1", "1.4.0", "web-2", ["mail"], "run", 4, Story.SetUpAt, Story.At);

    [JsonIgnore]
    internal Guid Key { get; init; }
}

internal sealed record WorkerRow
{
    public Guid Id { get; init; }

    public Guid WorkerId { get; init; }

    public string Name { get; init; } = "";

    public string? Version { get; init; }

    public string? Host { get; init; }

    public string[] Queues { get; init; } = [];

    public string Directive { get; init; } = "";

    public int Leases { get; init; }

    public DateTime FirstSeenAt { get; init; }

    public DateTime LastSeenAt { get; init; }

    public WorkerView ToView() =>
        new(WorkerId, Name, Version, Host, Queues, Directive, Leases, FirstSeenAt, LastSeenAt) { Key = Id };
}
