using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Features.Events;

/// <summary>Works out what unrouted events cause: the net beneath the routing that follows a commit at once.</summary>
public static class RouteEvents
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(1);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(int Routed);

    internal sealed class Handler(UnroutedEvents unrouted) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken) =>
            new Report(await unrouted.RouteAsync(cancellationToken));
    }
}
