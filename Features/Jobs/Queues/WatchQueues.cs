using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;
using Spectre.Console;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Shows the queues of a project as a live table: how deep they are, and what is started and fails a minute.</summary>
/// <remarks>Nothing is counted beyond 10,000. It looks every two seconds, with one statement, until it is interrupted.</remarks>
public static class WatchQueues
{
    public sealed class Verb : CliVerb
    {
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

        private readonly Option<bool> _once = new("--once") { Description = "print one table and end" };

        public Verb()
            : base("queues top", "Show how deep the queues are and how fast they go, every two seconds.") => Add(_once);

        public override bool TakesProject => true;

        public override async Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            if (session.Get(_once))
            {
                return await session.SendAsync(new Query(), report => report.ToText(), cancellationToken);
            }

            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            using var interrupted = PosixSignalRegistration.Create(
                PosixSignal.SIGINT,
                signal =>
                {
                    signal.Cancel = true; // the table gives the cursor back
                    end.Cancel();
                }
            );
            return await session.WatchAsync(new Query(), (first, next) => ShowAsync(first, next, end.Token), end.Token);
        }

        private static Task ShowAsync(
            Response first,
            Func<Task<Result<Response>>> next,
            CancellationToken cancellationToken
        ) =>
            AnsiConsole
                .Live(first.ToTable())
                .StartAsync(async live =>
                {
                    try
                    {
                        using var timer = new PeriodicTimer(Interval, TimeProvider.System);
                        live.Refresh();
                        while (
                            await timer.WaitForNextTickAsync(cancellationToken)
                            && await next() is { Problem: null } answer
                        )
                        {
                            live.UpdateTarget(answer.Unwrap().ToTable());
                        }
                    }
                    catch (OperationCanceledException)
                    {
                        // that was enough
                    }
                });
    }

    public sealed record Query : IRequest<Result<Response>>;

    public sealed record Response(IReadOnlyList<QueueLoad> Queues)
    {
        internal Table ToTable()
        {
            var table = new Table().Border(TableBorder.Minimal);
            foreach (var column in QueueLoad.Columns)
            {
                table.AddColumn(new TableColumn(column).NoWrap());
            }

            foreach (var queue in Queues)
            {
                table.AddRow(Array.ConvertAll(queue.Cells(), Markup.Escape));
            }

            return table;
        }

        /// <summary>Without colours and as wide as it is, for scripts.</summary>
        internal string ToText()
        {
            using var text = new StringWriter(CultureInfo.InvariantCulture);
            var console = AnsiConsole.Create(
                new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(text) }
            );
            console.Profile.Width = 500;
            console.Write(ToTable());
            return text.ToString().TrimEnd();
        }
    }

    internal sealed class Handler(NpgsqlDataSource database, Caller caller) : IRequestHandler<Query, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Query query, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var queues = await connection.QueryAsync<QueueLoad>(
                Sql.List.With(new { caller.ProjectId, caller.ReachQueues }, cancellationToken)
            );
            return new Response(queues.AsList());
        }
    }

    private static class Sql
    {
        // in the index's order, or the planner takes the limit for a reason to read the table; the rates are of the last whole minute
        // and what there is of this one
        public const string List = """
            SELECT q.name, q.served_by, q.paused_at IS NOT NULL AS is_paused, q.max_running, ready.jobs AS ready,
                running.jobs AS running, extract(epoch FROM now() - oldest.run_at)::float8 AS oldest_ready_age_seconds,
                lately.started * 60 / span.seconds AS started_per_minute, lately.failed * 60 / span.seconds AS failed_per_minute
            FROM queues q
            CROSS JOIN LATERAL (
                SELECT count(*) AS jobs
                FROM (
                    SELECT
                    FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                    CROSS JOIN LATERAL (
                        SELECT
                        FROM jobs j
                        WHERE j.state = 1 AND j.queue_id = q.queue_id AND j.priority = p.priority AND j.run_at <= now()
                        ORDER BY j.run_at
                        LIMIT 10001
                    ) AS due
                    LIMIT 10001
                ) AS counted
            ) AS ready
            CROSS JOIN LATERAL (
                SELECT count(*) AS jobs
                FROM (SELECT FROM jobs j WHERE j.queue_id = q.queue_id AND j.state = 2 LIMIT 10001) AS counted
            ) AS running
            CROSS JOIN LATERAL (
                SELECT min(first.run_at) AS run_at
                FROM (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint)) AS p(priority)
                CROSS JOIN LATERAL (
                    SELECT j.run_at
                    FROM jobs j
                    WHERE j.state = 1 AND j.queue_id = q.queue_id AND j.priority = p.priority AND j.run_at <= now()
                    ORDER BY j.run_at
                    LIMIT 1
                ) AS first
            ) AS oldest
            CROSS JOIN LATERAL (
                SELECT COALESCE(sum(m.started), 0)::float8 AS started, COALESCE(sum(m.failed), 0)::float8 AS failed
                FROM queue_minutes m
                WHERE m.project_id = q.project_id AND m.queue_id = q.queue_id
                    AND m.minute >= date_trunc('minute', now()) - interval '1 minute'
            ) AS lately
            CROSS JOIN LATERAL (
                SELECT extract(epoch FROM now() - date_trunc('minute', now()) + interval '1 minute')::float8 AS seconds
            ) AS span
            WHERE q.project_id = @ProjectId AND q.deleted_at IS NULL
                AND (@ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues))
            ORDER BY q.name
            LIMIT 200
            """;
    }
}
