using Bellhop.Features.Jobs;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Http;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Automations;

/// <summary>Sends what a step of a run sends (<c>http</c>, <c>notify</c>); the job's result becomes the step's output.</summary>
/// <remarks>
/// At least once: a process that is killed after sending sends again, with the same key <c>run/step</c>. The step's <c>with</c> is
/// rendered here from what the run has recorded, so it is the same at every attempt but for secrets that were replaced meanwhile.
/// </remarks>
public static class TakeEffect
{
    internal sealed class Consumer : JobConsumer
    {
        public override string Kind => StepEffect.JobKind;

        public override bool IsInternal => true;

        public override async Task<JobOutcome> RunAsync(
            IMediator mediator,
            ClaimedJob job,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Command(job), cancellationToken)).Unwrap().Outcome;
    }

    public sealed record Command(ClaimedJob Job) : IRequest<Result<Report>>;

    public sealed record Report(JobOutcome Outcome);

    internal sealed class Handler(
        NpgsqlDataSource database,
        CompiledVersions versions,
        JobKinds kinds,
        NamedSecrets secrets,
        Effects effects,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            var args = EffectArgs.Of(request.Job);
            var loaded = await LoadAsync(request.Job.ProjectId, args, cancellationToken);
            if (loaded is not var (context, step))
            {
                return Fail(RunError.StepMissing, "Its run, or the step in it, is over or not there any more.");
            }

            var values = new Dictionary<string, string>();
            foreach (var name in step.Secrets)
            {
                if (await secrets.FindAsync(context.Run.ProjectId, name, cancellationToken) is not { } value)
                {
                    return Fail(RunError.UnknownSecret, $"There is no secret {name} in this project.");
                }

                values[name] = value;
            }

            var key = $"{args.RunId}/{args.StepId}";
            return new Report(await step.SendAsync(effects, context, key, values, cancellationToken));
        }

        /// <summary>The run as it was when the step was taken; null where either is over or gone.</summary>
        private async Task<(RunContext Context, StepEffect Step)?> LoadAsync(
            Guid projectId,
            EffectArgs args,
            CancellationToken cancellationToken
        )
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var found = await RunLedger.LoadAsync(connection, projectId, args.RunId, cancellationToken);
            if (found is not var (run, queues) || run.IsOver)
            {
                return null;
            }

            var automation =
                versions.Find(run)
                ?? versions.Add(run, await RunLedger.LoadDefinitionAsync(connection, run, cancellationToken));
            var recorded = await RunLedger.LoadStepsAsync(connection, run, cancellationToken);
            var context = new RunContext(run, new JobTargets(kinds, queues), clock.GetUtcNow());
            foreach (var step in automation.Steps)
            {
                var record = recorded.GetValueOrDefault(step.Id);
                if (step.Id == args.StepId)
                {
                    // what it waited for may have ended long ago: nothing is sent a second time then
                    return step.Action is StepEffect effect && record?.State == StepState.Waiting
                        ? (context, effect)
                        : null;
                }

                context.Add(step, record);
            }

            return null;
        }

        private static Report Fail(string code, string message) =>
            new(new JobOutcome.Failed(code, message, Retryable: false));
    }
}
