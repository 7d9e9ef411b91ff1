using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Http;
using MediatR;
using Prometheus;

namespace Bellhop.Features.Audit;

/// <summary>Links what was recorded since the last second to the chain of its project.</summary>
public static class CloseAuditChain
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(1);
    }

    public sealed record Command : IRequest<Result<Report>>;

    /// <param name="Linked">Entries that were linked.</param>
    /// <param name="Broken">Chains with new entries that do not fit their heads and are not gone on with.</param>
    public sealed record Report(int Linked, int Broken);

    internal sealed class Handler(AuditChain chain) : IRequestHandler<Command, Result<Report>>
    {
        private static readonly Gauge BrokenChains = Metrics.CreateGauge(
            "bellhop_audit_broken_chains",
            "Audit chains with new entries that do not fit their sealed heads: run bellhop audit verify."
        );

        public async Task<Result<Report>> Handle(Command command, CancellationToken cancellationToken)
        {
            var (linked, broken) = await chain.CloseAsync(cancellationToken);
            BrokenChains.Set(broken);
            return new Report(linked, broken);
        }
    }
}
