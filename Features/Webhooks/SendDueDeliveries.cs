using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;
using MediatR;

namespace Bellhop.Features.Webhooks;

/// <summary>Sends what is due at one endpoint. There is at most one such job for an endpoint, wherever it runs.</summary>
public static class SendDueDeliveries
{
    internal sealed class Consumer : JobConsumer
    {
        public override string Kind => SenderJobs.Kind;

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
    }

    internal sealed record Command(ClaimedJob Job) : IRequest<Result<Report>>;

    /// <param name="Due">How many senders were enqueued after this one ended: none or one.</param>
    internal sealed record Report(int Due);

    internal sealed class Handler(
        DeliveryLedger ledger,
        SenderSignals signals,
        SenderJobs senders,
        OutgoingClient client,
        IHostApplicationLifetime lifetime,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            var job = request.Job;
            var endpointId = SenderJobs.EndpointOf(job);
            using (var presence = signals.Enter(endpointId))
            {
                var endpoint = await ledger.FindEndpointAsync(job.ProjectId, endpointId, cancellationToken);
                if (endpoint is { IsActive: true })
                {
                    var sender = new Sender(ledger, client, clock, presence, job, endpoint);
                    await sender.RunAsync(lifetime.ApplicationStopping, cancellationToken);
                }
                else
                {
                    await ledger.DisableAsync(job, endpointId, cancellationToken);
                }

                await ledger.FinishAsync(job, cancellationToken);
            }

            return new Report(await senders.StartDueAsync(job.ProjectId, endpointId, cancellationToken));
        }
    }
}
