using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Features.Webhooks;

/// <summary>Enqueues a sender for each endpoint that has something due and none: retries, and what a signal missed.</summary>
public static class StartSenders
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(1);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Endpoints);

    internal sealed class Handler(SenderJobs senders) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken) =>
            new Report(await senders.StartDueAsync(null, null, cancellationToken));
    }
}
