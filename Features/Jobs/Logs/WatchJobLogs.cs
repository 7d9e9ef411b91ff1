using System.CommandLine;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>Streams the log of a job while it is written, until the job is over and all of its lines are told.</summary>
/// <remarks>
/// Server-sent events named <c>line</c>, each with a line as the list shows it and its <c>seq</c> as its id: the lines that are there first,
/// then each within a second, in order and without a gap. Who comes again with <c>Last-Event-ID</c> goes on behind it; who has seen all of
/// a job that is over is answered 204.
/// </remarks>
public static class WatchJobLogs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/jobs/{id:guid}/logs/events", Get)
                .RequirePermission(Permissions.JobsRead)
                .WithName(nameof(WatchJobLogs))
                .WithTags("Jobs")
                .ProducesEvents<JobLogLine>("line", "1")
                .Produces(StatusCodes.Status204NoContent);

        /// <summary>Watch a job's log</summary>
        public static async Task<IResult> Get(
            Guid id,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            _ = long.TryParse(
                EventStream.LastId(http.Request),
                NumberStyles.None,
                CultureInfo.InvariantCulture,
                out var after
            );
            var result = await mediator.Send(new Query(id, after), cancellationToken);
            return result.ToHttp(lines => lines is null ? TypedResults.NoContent() : new EventStream(Tell(lines)));
        }

        private static async IAsyncEnumerable<StreamEvent?> Tell(
            IAsyncEnumerable<JobLogLine?> lines,
            [EnumeratorCancellation] CancellationToken cancellationToken = default
        )
        {
            await foreach (var line in lines.WithCancellation(cancellationToken))
            {
                yield return line is null
                    ? null
                    : new StreamEvent(
                        line.Seq.ToString(CultureInfo.InvariantCulture),
                        "line",
                        JsonSerializer.SerializeToUtf8Bytes(line, JsonRules.Options)
                    );
            }
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Argument<Guid> _job = new("job") { Description = "its id" };
        private readonly Option<bool> _follow = new("--follow", "-f") { Description = "go on until the job is over" };

        public Verb()
            : base("jobs logs", "Print what a job has logged.") => Add(_job, _follow);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.WatchAsync(
                new Query(session.Get(_job), 0, session.Get(_follow)),
                async (lines, _) =>
                {
                    await foreach (var line in lines!.WithCancellation(cancellationToken))
                    {
                        if (line is not null)
                        {
                            session.Print(line, Describe);
                        }
                    }
                },
                cancellationToken
            );

        // what a program wrote is not to move the cursor of whoever reads it
        private static string Describe(JobLogLine line) =>
            $"{line.At:O}\t{line.Level}\t{string.Concat(line.Text.Select(one => char.IsControl(one) ? ' ' : one))}";
    }

    /// <param name="After">The place of the last line that was seen.</param>
    /// <param name="Follows">Whether to wait for more, or to end with what is there.</param>
    public sealed record Query(Guid Id, long After = 0, bool Follows = true)
        : IRequest<Result<IAsyncEnumerable<JobLogLine?>?>>;

    internal sealed class Handler(JobLogs logs, JobViews jobs, JobLogWatch watch, Caller caller)
        : IRequestHandler<Query, Result<IAsyncEnumerable<JobLogLine?>?>>
    {
        /// <returns>Null: the caller has seen the end, and no browser is to come again (204).</returns>
        public async Task<Result<IAsyncEnumerable<JobLogLine?>?>> Handle(
            Query request,
            CancellationToken cancellationToken
        ) =>
            await logs.RefuseAsync(request.Id, cancellationToken) is { } problem ? problem
            : await SawTheEndAsync(request, cancellationToken) ? Result.Of<IAsyncEnumerable<JobLogLine?>?>(null)
            : Result.Of<IAsyncEnumerable<JobLogLine?>?>(
                request.Follows
                    ? FollowAsync(caller.ProjectId, request, CancellationToken.None)
                    : ReadAsync(request, CancellationToken.None)
            );

        // the job first: whatever it still writes is there when it is over
        private async Task<bool> SawTheEndAsync(Query request, CancellationToken cancellationToken) =>
            request.After > 0
            && await jobs.FindAsync(request.Id, cancellationToken) is { FinishedAt: not null }
            && (await logs.ReadAsync(request.Id, request.After, JobLogLevel.Debug, 1, cancellationToken)).Count == 0;

        private async IAsyncEnumerable<JobLogLine?> FollowAsync(
            Guid projectId,
            Query request,
            [EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            var after = request.After;
            for (var isOver = false; !isOver; )
            {
                var step = await watch.NextAsync(projectId, request.Id, after, cancellationToken);
                isOver = step.IsOver;
                foreach (var line in step.Lines)
                {
                    after = line.Seq;
                    yield return line;
                }

                if (step.Lines.Count == 0 && !isOver)
                {
                    yield return null;
                }
            }
        }

        private async IAsyncEnumerable<JobLogLine?> ReadAsync(
            Query request,
            [EnumeratorCancellation] CancellationToken cancellationToken
        )
        {
            const int Block = 500;
            var after = request.After;
            for (var hasMore = true; hasMore; )
            {
                var lines = await logs.ReadAsync(request.Id, after, JobLogLevel.Debug, Block, cancellationToken);
                hasMore = lines.Count >= Block;
                foreach (var line in lines)
                {
                    after = line.Seq;
                    yield return line;
                }
            }
        }
    }
}
