using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Features.Connections;

/// <summary>Sends an HTTP request as a job of kind <c>http.request</c>; its result is the answer.</summary>
/// <remarks>The job's id is the <c>Idempotency-Key</c>. See <see cref="HttpCalls"/> for what is tried again.</remarks>
public static class SendHttpRequest
{
    internal sealed class Consumer : JobConsumer
    {
        public override string Kind => "http.request";

        public override bool NamesConfiguration => true;

        public override async Task<JobOutcome> RunAsync(
            IMediator mediator,
            ClaimedJob job,
            CancellationToken cancellationToken
        )
        {
            var (call, refusal) = JobArgs.Read<HttpCall>(job.Args, new HttpCallRules());
            return refusal ?? (await mediator.Send(new Command(job.Id, call!), cancellationToken)).Unwrap().Outcome;
        }
    }

    public sealed record Command(Guid JobId, HttpCall Call) : IRequest<Result<Report>>;

    public sealed record Report(JobOutcome Outcome);

    internal sealed class Handler(HttpCalls calls, Caller caller) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken) =>
            new Report(
                await calls.SendAsync(caller.ProjectId, request.Call, $"{request.JobId}", [], cancellationToken)
            );
    }
}
