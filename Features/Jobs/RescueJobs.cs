using Bellhop.Features.Jobs.Running;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Makes jobs ready again whose process went silent: the net beneath the runners, which look as well.</summary>
public static class RescueJobs
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(2);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Lost);

    internal sealed class Handler(ExpiredLeases leases, QueueSignals signals) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            var lost = await leases.RescueAsync(cancellationToken);
            if (lost > 0)
            {
                signals.Raise(); // carriers among them are ready now
            }

            return new Report(lost);
        }
    }
}
