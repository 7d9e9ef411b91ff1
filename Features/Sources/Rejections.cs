using System.Collections.Concurrent;
using System.Text.Json;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Sources;

/// <summary>Keeps refused requests with their reason: of each source one a second, the others are counted on it.</summary>
/// <remarks>
/// Bounded, so that whoever sends rubbish fills neither disk nor pool. Each process keeps and counts for itself; counts are written
/// once a second and at shutdown, and a crash loses what was counted since.
/// </remarks>
public sealed partial class Rejections(NpgsqlDataSource database, TimeProvider clock, ILogger<Rejections> logger)
    : BackgroundService
{
    public const int MaxBodyBytes = 64 * 1024;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // an allow list: whatever else a sender calls its credentials, they are not kept
    private static readonly string[] KeptHeaders =
    [
        "Content-Length",
        "Content-Type",
        "User-Agent",
        "X-GitHub-Delivery",
        "X-GitHub-Event",
        "X-GitHub-Hook-ID",
        "X-Hub-Signature-256",
        "X-Request-Id",
        "svix-id",
        "svix-signature",
        "svix-timestamp",
        "traceparent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    ];

    // by source; a request takes the lock of its window, the flusher too
    private readonly ConcurrentDictionary<Guid, Window> _windows = new();

    /// <summary>Keeps the request, or counts it where one was kept within the last second.</summary>
    public async Task KeepAsync(
        Source source,
        InboundRequest request,
        Rejection rejection,
        CancellationToken cancellationToken
    )
    {
        var now = clock.GetUtcNow();
        var row = new Kept(source.ProjectId, Guid.CreateVersion7(now));
        if (!_windows.GetOrAdd(source.Id, _ => new Window()).Opens(row, now, out var ended))
        {
            return;
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(
            Sql.Insert.With(
                new
                {
                    row.ProjectId,
                    row.Id,
                    SourceId = source.Id,
                    Now = now.UtcDateTime,
                    rejection.Reason,
                    rejection.Detail,
                    Headers = HeadersOf(request),
                    Body = request.Body[..Math.Min(request.Body.Length, MaxBodyBytes)].ToArray(),
                    BodyBytes = request.Body.Length,
                },
                cancellationToken
            )
        );
        if (ended is not null)
        {
            await AddAsync([ended], cancellationToken);
        }
    }

    /// <summary>Writes what was counted since the last time.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        var counted = _windows.Values.Select(window => window.Take()).OfType<Counted>().ToArray();
        if (counted.Length > 0)
        {
            await AddAsync(counted, cancellationToken);
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await TryFlushAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            await TryFlushAsync(stoppingToken);
        }
    }

    private async Task TryFlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            await FlushAsync(cancellationToken);
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            CountsLost(logger, exception);
        }
    }

    private async Task AddAsync(IReadOnlyList<Counted> counted, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(
            Sql.Add.With(
                new
                {
                    ProjectIds = counted.Select(one => one.Row.ProjectId).ToArray(),
                    Ids = counted.Select(one => one.Row.Id).ToArray(),
                    Counts = counted.Select(one => one.Count).ToArray(),
                },
                cancellationToken
            )
        );
    }

    private static string HeadersOf(InboundRequest request) =>
        JsonSerializer.Serialize(
            request
                .Headers.Where(header => KeptHeaders.Contains(header.Key, StringComparer.OrdinalIgnoreCase))
                .ToDictionary(header => header.Key, header => header.Value.ToArray()),
            JsonRules.Options
        );

    [LoggerMessage(LogLevel.Warning, "Counts of refused webhooks were lost.")]
    private static partial void CountsLost(ILogger logger, Exception exception);

    private sealed record Kept(Guid ProjectId, Guid Id);

    private sealed record Counted(Kept Row, int Count);

    /// <summary>The second that began with the last request kept of a source.</summary>
    private sealed class Window
    {
        private readonly Lock _lock = new();
        private DateTimeOffset _since = DateTimeOffset.MinValue;
        private Kept? _row;
        private int _count;

        /// <summary>True: the request is to be kept under this row, and the window before it ended with a count.</summary>
        public bool Opens(Kept row, DateTimeOffset now, out Counted? ended)
        {
            lock (_lock)
            {
                ended = null;
                if (now - _since < Interval)
                {
                    _count++;
                    return false;
                }

                ended = _count > 0 ? new Counted(_row!, _count) : null;
                (_since, _row, _count) = (now, row, 0);
                return true;
            }
        }

        public Counted? Take()
        {
            lock (_lock)
            {
                var counted = _count > 0 ? new Counted(_row!, _count) : null;
                _count = 0;
                return counted;
            }
        }
    }

    private static class Sql
    {
        public const string Insert = """
            INSERT INTO source_rejections (
                project_id, id, source_id, rejected_at, reason, detail, headers, body, body_bytes
            )
            VALUES (@ProjectId, @Id, @SourceId, @Now, @Reason, @Detail, @Headers::json, @Body, @BodyBytes)
            """;

        public const string Add = """
            UPDATE source_rejections r
            SET also_rejected = r.also_rejected + counted.count
            FROM unnest(@ProjectIds::uuid[], @Ids::uuid[], @Counts::integer[]) AS counted(project_id, id, count)
            WHERE r.project_id = counted.project_id AND r.id = counted.id
            """;
    }
}
