using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Measures the configured database: puts jobs that do nothing on a queue, a thousand a statement, and then drains it.</summary>
/// <remarks>
/// The queue is made where there is none, and becomes one of the service; a running service drains along. Every job is durable and
/// stays in the history, as any other.
/// </remarks>
public static class BenchJobs
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<int> _count = new("--count")
        {
            Description = "how many jobs",
            DefaultValueFactory = _ => 100_000,
        };
        private readonly Option<string> _queue = new("--queue")
        {
            Description = "the queue; it becomes one of the service",
            DefaultValueFactory = _ => "bench",
        };

        public Verb()
            : base("bench jobs", "Measure how many jobs a second are enqueued and executed here.") =>
            Add(_count, _queue);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(session.Get(_count), session.Get(_queue)!),
                report => JsonSerializer.Serialize(report, JsonRules.Options),
                cancellationToken
            );
    }

    public sealed record Command(int Count, string Queue) : IRequest<Result<Report>>;

    public sealed record Report(double EnqueuedPerSecond, double DrainedPerSecond);

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator()
        {
            RuleFor(command => command.Count).InclusiveBetween(1, 10_000_000);
            RuleFor(command => command.Queue).IsSlug();
        }
    }

    internal sealed class Handler(
        Databases databases,
        JobRunner runner,
        JobFinisher finisher,
        HeldJobs held,
        Heartbeat heartbeat,
        QueueSignals signals,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Report>>
    {
        private const int PerStatement = 1_000;
        private const int AtOnce = 2;
        private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);
        private static readonly TimeSpan Still = TimeSpan.FromSeconds(1);

        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            var queueId = await MakeQueueAsync(request.Queue, cancellationToken);
            if (queueId is null)
            {
                return JobProblems.UnknownQueue.Because($"{request.Queue} cannot become a queue of the service.");
            }

            var began = Stopwatch.GetTimestamp();
            await EnqueueAsync(request, cancellationToken);
            var enqueued = Stopwatch.GetElapsedTime(began);
            began = Stopwatch.GetTimestamp();
            await DrainAsync(request, queueId.Value, cancellationToken);
            var drained = Stopwatch.GetElapsedTime(began);
            return new Report(
                Math.Round(request.Count / enqueued.TotalSeconds),
                Math.Round(request.Count / drained.TotalSeconds)
            );
        }

        private async Task<long?> MakeQueueAsync(string queue, CancellationToken cancellationToken)
        {
            await using var connection = await databases.Main.OpenConnectionAsync(cancellationToken);
            return await connection.QuerySingleOrDefaultAsync<long?>(
                Sql.MakeQueue.With(
                    new
                    {
                        caller.ProjectId,
                        Queue = queue,
                        Retry = RetryPolicy.Default.ToJson(),
                    },
                    cancellationToken
                )
            );
        }

        private Task EnqueueAsync(Command request, CancellationToken cancellationToken) =>
            Parallel.ForEachAsync(
                Enumerable.Range(0, request.Count).Chunk(PerStatement),
                new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
                async (chunk, token) =>
                {
                    await using var connection = await databases.Main.OpenConnectionAsync(token);
                    await JobQueue.EnqueueAsync(connection, [.. chunk.Select(_ => Job(request.Queue))], token);
                }
            );

        private NewJob Job(string queue) =>
            new()
            {
                ProjectId = caller.ProjectId,
                Id = Guid.CreateVersion7(clock.GetUtcNow()),
                Queue = queue,
                Kind = "noop",
                Args = "{}",
            };

        private async Task DrainAsync(Command request, long queueId, CancellationToken cancellationToken)
        {
            IHostedService[] parts = [heartbeat, finisher, runner];
            runner.Only = request.Queue;
            foreach (var part in parts)
            {
                await part.StartAsync(cancellationToken);
            }

            signals.Raise();
            try
            {
                await using var connection = await databases.Engine.OpenConnectionAsync(cancellationToken);
                var unfinished = Sql.IsUnfinished.With(new { caller.ProjectId, QueueId = queueId }, cancellationToken);
                long before;
                do
                {
                    before = held.Ended;
                    var began = clock.GetTimestamp();
                    do
                    {
                        await Task.Delay(Look, clock, cancellationToken);
                    } while (held.Ended < request.Count && clock.GetElapsedTime(began) < Still);
                    // an answer costs something: asked when all was done here, or nothing for a second, since others may drain along
                } while (
                    (held.Ended < request.Count && held.Ended > before)
                    || await connection.ExecuteScalarAsync<bool>(unfinished)
                );
            }
            finally
            {
                foreach (var part in parts.Reverse())
                {
                    await part.StopAsync(CancellationToken.None);
                }
            }
        }
    }

    private static class Sql
    {
        // one with jobs for workers stays theirs
        public const string MakeQueue = """
            INSERT INTO queues AS q (project_id, name, served_by, retry)
            VALUES (@ProjectId, @Queue, 'service', @Retry::json)
            ON CONFLICT (project_id, name) WHERE deleted_at IS NULL DO UPDATE
            SET served_by = 'service'
            WHERE q.served_by = 'service' OR NOT EXISTS (SELECT FROM jobs j WHERE j.project_id = @ProjectId AND j.queue_id = q.queue_id)
            RETURNING queue_id
            """;

        // what is due later does not count; one probe a priority ends at the first that is not due
        public const string IsUnfinished = """
            SELECT EXISTS (
                SELECT
                FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                CROSS JOIN LATERAL (
                    SELECT
                    FROM jobs
                    WHERE project_id = @ProjectId AND queue_id = @QueueId AND state = 1 AND priority = p.priority AND run_at <= now()
                    LIMIT 1
                ) AS due
            ) OR EXISTS (SELECT FROM jobs WHERE project_id = @ProjectId AND queue_id = @QueueId AND state = 2 LIMIT 1)
            """;
    }
}
