using Bellhop.Features.Jobs.Logs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Runs a command of the host as a job of kind <c>shell</c>: off until the operator allows a command.</summary>
/// <remarks>See <see cref="ShellRuns"/> for what the command is given, and what becomes of its exit code.</remarks>
public static class RunShell
{
    internal sealed class Consumer(Settings settings) : JobConsumer
    {
        public override string Kind => "shell";

        // a command is the service's own configuration, and none of what the caller is narrowed to
        public override bool NamesConfiguration => true;

        public override string? Off =>
            settings.Shell.Count == 0
                ? $"The operator allows no command ({Settings.Section}:{ShellCommand.Place})."
                : null;

        public override async Task<JobOutcome> RunAsync(
            IMediator mediator,
            ClaimedJob job,
            CancellationToken cancellationToken
        )
        {
            var (call, refusal) = JobArgs.Read<ShellCall>(job.Args, new ShellCallRules());
            return refusal
                ?? (await mediator.Send(new Command(job.Id, job.Attempt, job.ClaimNo, call!), cancellationToken))
                    .Unwrap()
                    .Outcome;
        }
    }

    public sealed record Command(Guid JobId, short Attempt, long ClaimNo, ShellCall Call) : IRequest<Result<Report>>;

    public sealed record Report(JobOutcome Outcome);

    internal sealed class Handler(ShellRuns runs, JobLog log, Caller caller) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken) =>
            new Report(
                await runs.RunAsync(
                    caller.ProjectId,
                    request.Call,
                    (request.JobId, request.Attempt, request.ClaimNo),
                    log,
                    cancellationToken
                )
            );
    }
}
