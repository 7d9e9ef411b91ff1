using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Features.Connections;

/// <summary>Executes a statement on an outside database as a job of kind <c>sql</c>; its result is what the server answers.</summary>
/// <remarks>See <see cref="SqlCalls"/> for what is tried again, and for how a statement has its effect once.</remarks>
public static class RunSql
{
    internal sealed class Consumer : JobConsumer
    {
        public override string Kind => "sql";

        public override bool NamesConfiguration => true;

        public override async Task<JobOutcome> RunAsync(
            IMediator mediator,
            ClaimedJob job,
            CancellationToken cancellationToken
        )
        {
            var (call, refusal) = JobArgs.Read<SqlCall>(job.Args, new SqlCallRules());
            return refusal
                ?? (await mediator.Send(new Command(job.Id, job.ClaimNo, call!), cancellationToken)).Unwrap().Outcome;
        }
    }

    public sealed record Command(Guid JobId, long ClaimNo, SqlCall Call) : IRequest<Result<Report>>;

    public sealed record Report(JobOutcome Outcome);

    internal sealed class Handler(SqlCalls calls, JobLog log, Caller caller) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken) =>
            new Report(
                await calls.ExecuteAsync(
                    caller.ProjectId,
                    request.Call,
                    request.JobId,
                    request.ClaimNo,
                    log,
                    cancellationToken
                )
            );
    }
}
