using Bellhop.Features.Webhooks;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class ExpireDeliveriesTests(ServiceFixture service)
{
    [Fact]
    public async Task A_delivery_that_nobody_tried_for_eight_days_has_failed()
    {
        const string Age = """
            UPDATE deliveries
            SET id = first_id_at(now() - interval '9 days'), state = 'pending', next_attempt_at = now(), finished_at = NULL
            WHERE project_id = @Id
            """;
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.PublishAsync(project);
        await TestWebhooks.BecomeAsync(project, "succeeded");
        await TestWebhooks.ExecuteAsync(project.Database, Age, new { project.Id });

        Assert.Null((await project.SendAsync(new ExpireDeliveries.Command())).Problem);

        await TestWebhooks.BecomeAsync(project, "failed");
        Assert.Single(receiver.Received);
    }
}
