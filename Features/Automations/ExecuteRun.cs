using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Http;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>Carries a run on, from where it was to its next wait or its end.</summary>
/// <remarks>
/// One transaction holds the steps taken, the jobs and events they make, the run's state and the end of the job that carries it. A
/// process that is killed before its commit leaves the run where it was; a carrier that lost its claim writes nothing.
/// </remarks>
public static class ExecuteRun
{
    internal sealed class Consumer : JobConsumer
    {
        public override string Kind => RunCarrier.Kind;

        public override bool IsInternal => true;

        public override bool IsCarrier => true;

        public override async Task<JobOutcome> RunAsync(
            IMediator mediator,
            ClaimedJob job,
            CancellationToken cancellationToken
        )
        {
            await mediator.Send(new Command(job), cancellationToken);
            return JobOutcome.Settled.Instance;
        }

        public override async Task GaveUpAsync(
            NpgsqlConnection connection,
            ClaimedJob job,
            string errorJson,
            CancellationToken cancellationToken
        )
        {
            var error = new RunError(RunError.EngineError, $"The run could not be carried on; job {job.Id} says why.");
            RunMetrics.CountHeld(await RunLedger.HoldAsync(connection, job, error, cancellationToken));
        }
    }

    public sealed record Command(ClaimedJob Job) : IRequest<Result<Report>>;

    /// <param name="State">The run's state afterwards.</param>
    public sealed record Report(string State);

    internal sealed class Handler(
        NpgsqlDataSource database,
        EventLog events,
        CompiledVersions versions,
        JobKinds kinds,
        QueueSignals signals,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Report>>
    {
        private static readonly Dictionary<string, RecordedStep> NoSteps = [];

        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            var job = request.Job;
            var (run, progress) = await AdvanceAsync(job, cancellationToken);
            if (run is null || progress is null)
            {
                await EndCarrierAsync(job, cancellationToken);
                return new Report(run?.State ?? "");
            }

            await CommitAsync(job, run, progress, cancellationToken);
            if (progress.IsOver)
            {
                RunMetrics.CountFinished(progress.State, progress.Now - run.CreatedAt);
            }

            return new Report(progress.State);
        }

        /// <summary>How far the run comes now; no progress where it is over, gone, or what it waits for is not.</summary>
        private async Task<(LoadedRun? Run, RunProgress? Progress)> AdvanceAsync(
            ClaimedJob job,
            CancellationToken cancellationToken
        )
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var found = await RunLedger.LoadAsync(
                connection,
                job.ProjectId,
                RunCarrier.RunIdOf(job),
                cancellationToken
            );
            if (found is not var (run, queues) || run.IsOver)
            {
                return (found?.Run, null);
            }

            var automation =
                versions.Find(run)
                ?? versions.Add(run, await RunLedger.LoadDefinitionAsync(connection, run, cancellationToken));
            // steps are recorded with the run's first wait or its end, so a run that is queued has none
            var recorded =
                run.State == RunState.Queued
                    ? NoSteps
                    : await RunLedger.LoadStepsAsync(connection, run, cancellationToken);
            if (recorded.Values.Any(step => step is { State: StepState.Waiting, JobIsOpen: true }))
            {
                return (run, null);
            }

            var context = new RunContext(run, new JobTargets(kinds, queues), clock.GetUtcNow());
            return (run, RunProgress.Advance(context, automation, recorded));
        }

        private async Task CommitAsync(
            ClaimedJob job,
            LoadedRun run,
            RunProgress progress,
            CancellationToken cancellationToken
        )
        {
            var emitted = progress.Events.ToArray();
            var routed = emitted.Length == 0 ? null : await events.RouteAsync(emitted, cancellationToken);
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            await using var transaction = routed is null
                ? null // a batch is a transaction of its own, and costs one round trip
                : await connection.BeginTransactionAsync(cancellationToken);
            await using var batch = new NpgsqlBatch(connection, transaction);
            foreach (var statement in RunLedger.Write(job, run, progress))
            {
                batch.BatchCommands.Add(statement);
            }

            await batch.ExecuteNonQueryAsync(cancellationToken);
            if (routed is not null)
            {
                var appended = await events.AppendAsync(connection, routed, cancellationToken);
                Refuse(appended);
                await transaction!.CommitAsync(cancellationToken);
                appended.Committed();
            }

            if (progress.Jobs.Any())
            {
                JobMetrics.CountEnqueued(progress.Jobs);
                signals.Raise();
            }
        }

        // only somebody who publishes under the source of an automation can be in the way
        private static void Refuse(AppendedEvents appended)
        {
            foreach (var taken in appended.Events.Where(one => one.Status != EventStatus.Accepted))
            {
                throw new InvalidOperationException($"An emitted event was not stored: {taken.Problem?.Detail}");
            }
        }

        private async Task EndCarrierAsync(ClaimedJob job, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            await using var batch = new NpgsqlBatch(connection) { BatchCommands = { JobQueue.Finish(job, null) } };
            await batch.ExecuteNonQueryAsync(cancellationToken);
        }
    }
}
