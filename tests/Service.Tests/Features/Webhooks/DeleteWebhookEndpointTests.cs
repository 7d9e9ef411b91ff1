using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class DeleteWebhookEndpointTests(ServiceFixture service)
{
    [Fact]
    public async Task What_waits_is_canceled_and_what_was_delivered_stays_on_record()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.CreateAsync(
            project,
            "http://127.0.0.1:9/hook",
            new
            {
                max_attempts = 5,
                strategy = "list",
                delays_seconds = new[] { 3600 },
            },
            name: "slow"
        );
        await TestWebhooks.PublishAsync(project);
        await Eventually.BeTrueAsync(
            async () =>
                (await TestWebhooks.ListAsync(project, "&state=pending")) is [var one]
                && one.GetProperty("attempt").GetInt32() == 1,
            "the second endpoint's delivery waits for an hour"
        );

        foreach (var name in new[] { "shop", "slow" })
        {
            var answer = await project.Http.ChangeAsync("DELETE", $"/v1/webhook-endpoints/{name}", ifMatch: "*");
            answer.Expect(HttpStatusCode.NoContent);
        }

        await TestWebhooks.PublishAsync(project);
        var deliveries = await Eventually.FitAsync(
            () => TestWebhooks.ListAsync(project),
            list => list.All(delivery => delivery.State() != "pending")
        );
        Assert.Equal(
            ["canceled", "succeeded"],
            deliveries.Select(delivery => delivery.State()).Order(StringComparer.Ordinal)
        );
    }
}
