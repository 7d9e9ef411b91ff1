using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Features.Connections;

/// <summary>Sends a mail, or a chat message, as a job of kind <c>mail.send</c>.</summary>
/// <remarks>The job's id makes the <c>Message-ID</c>. See <see cref="MailCalls"/> for what is tried again.</remarks>
public static class SendMail
{
    internal sealed class Consumer : JobConsumer
    {
        public override string Kind => "mail.send";

        public override bool NamesConfiguration => true;

        public override async Task<JobOutcome> RunAsync(
            IMediator mediator,
            ClaimedJob job,
            CancellationToken cancellationToken
        )
        {
            var (call, refusal) = JobArgs.Read<MailCall>(job.Args, new MailCallRules());
            return refusal ?? (await mediator.Send(new Command(job.Id, call!), cancellationToken)).Unwrap().Outcome;
        }
    }

    public sealed record Command(Guid JobId, MailCall Call) : IRequest<Result<Report>>;

    public sealed record Report(JobOutcome Outcome);

    internal sealed class Handler(MailCalls calls, Caller caller) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken) =>
            new Report(
                await calls.SendAsync(caller.ProjectId, request.Call, $"{request.JobId}", [], cancellationToken)
            );
    }
}
