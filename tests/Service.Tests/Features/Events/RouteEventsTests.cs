using Bellhop.Features.Events;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class RouteEventsTests(ServiceFixture service)
{
    [Fact]
    public async Task An_event_that_met_new_rules_is_routed_by_them()
    {
        var project = await service.NewProjectAsync();
        var log = service.Services.GetRequiredService<EventLog>();
        await log.PublishAsync([EventLogTests.Event(project, "warm")], CancellationToken.None);
        // as another replica would: the endpoint is there, and this process does not know
        await ExecuteAsync(
            project,
            """
            WITH endpoint AS (
                INSERT INTO webhook_endpoints (project_id, id, name, url, event_types, state, secrets)
                VALUES (@Id, new_id(), 'late', 'http://127.0.0.1:9/', '{test.happened}', 'active', '{}')
                RETURNING id
            )
            UPDATE rules_versions SET version = version + 1 WHERE project_id = @Id
            """
        );

        var stored = (await log.PublishAsync([EventLogTests.Event(project, "met")], CancellationToken.None)).Unwrap()[
            0
        ];

        await Eventually.BeTrueAsync(
            async () =>
                await CountAsync(
                    project,
                    "SELECT count(*) FROM deliveries WHERE project_id = @Id AND event_id = @EventId",
                    stored.Id
                ) == 1,
            "the event is delivered by the new rules"
        );
        Assert.Equal(
            0,
            await CountAsync(
                project,
                "SELECT count(*) FROM unrouted_events WHERE project_id = @Id AND event_id = @EventId",
                stored.Id
            )
        );
    }

    [Fact]
    public async Task An_event_left_unrouted_by_a_crash_is_taken_up_by_the_duty()
    {
        var project = await service.NewProjectAsync();
        var log = service.Services.GetRequiredService<EventLog>();
        var stored = (await log.PublishAsync([EventLogTests.Event(project, "left")], CancellationToken.None)).Unwrap()[
            0
        ];
        await ExecuteAsync(
            project,
            "INSERT INTO unrouted_events (project_id, event_id, reason) VALUES (@Id, @EventId, 'rules_changed') ON CONFLICT DO NOTHING",
            stored.Id
        );

        await service.SendAsync(project.Id, new RouteEvents.Command());

        await Eventually.BeTrueAsync(
            async () =>
                await CountAsync(
                    project,
                    "SELECT count(*) FROM unrouted_events WHERE project_id = @Id AND event_id = @EventId",
                    stored.Id
                ) == 0,
            "it is routed"
        );
    }

    private static async Task ExecuteAsync(TestProject project, string sql, Guid? eventId = null)
    {
        await using var connection = await project.Database.OpenConnectionAsync();
        await connection.ExecuteAsync(sql, new { project.Id, EventId = eventId });
    }

    private static async Task<long> CountAsync(TestProject project, string sql, Guid eventId)
    {
        await using var connection = await project.Database.OpenConnectionAsync();
        return await connection.QuerySingleAsync<long>(sql, new { project.Id, EventId = eventId });
    }
}
