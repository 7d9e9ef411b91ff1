using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Webhooks;

/// <summary>Keeps the gauge of webhook endpoints; a scrape asks nobody.</summary>
public static class MeasureEndpoints
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromSeconds(15);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report(long Active, long Disabled);

    internal sealed class Handler(NpgsqlDataSource database) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var report = await connection.QuerySingleAsync<Report>(Sql.Count.With(null, cancellationToken));
            WebhookMetrics.Endpoints.WithLabels(WebhookEndpoint.Active).Set(report.Active);
            WebhookMetrics.Endpoints.WithLabels(DeliveryState.Disabled).Set(report.Disabled);
            return report;
        }
    }

    private static class Sql
    {
        // engine-wide: gauges never name projects
        public const string Count = """
            SELECT count(*) FILTER (WHERE state = 'active') AS active,
                count(*) FILTER (WHERE state = 'disabled') AS disabled
            FROM webhook_endpoints
            WHERE deleted_at IS NULL
            """;
    }
}
