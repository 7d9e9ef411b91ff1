using System.Net;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class PatchWebhookEndpointTests(ServiceFixture service)
{
    private const string Path = "/v1/webhook-endpoints/shop";

    [Fact]
    public async Task What_waits_goes_to_the_new_url()
    {
        var project = await service.NewProjectAsync();
        await using var old = await Receiver.StartAsync((_, _) => Task.FromResult(Results.StatusCode(500)));
        await using var moved = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(
            project,
            old.Url,
            new
            {
                max_attempts = 1000,
                strategy = "list",
                delays_seconds = new[] { 1 },
                jitter = 0,
            }
        );
        await TestWebhooks.PublishAsync(project);
        await Eventually.BeTrueAsync(() => Task.FromResult(old.Received.Count > 0), "a first attempt");

        await project.Http.ChangeAsync("PATCH", Path, $$"""{"url":"{{moved.Url}}"}""", "*");

        var delivery = await TestWebhooks.BecomeAsync(project, "succeeded");
        Assert.Equal(delivery.Id().ToString(), moved.Received.Single().Id);
    }

    [Fact]
    public async Task One_that_is_disabled_sends_nothing_and_can_be_enabled_again()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);

        var off = await project.Http.ChangeAsync("PATCH", Path, """{"enabled":false}""", "*");
        await TestWebhooks.PublishAsync(project);
        await TestWebhooks.BecomeAsync(project, "disabled");
        var on = await project.Http.ChangeAsync("PATCH", Path, """{"enabled":true}""", "*");
        await TestWebhooks.PublishAsync(project);

        Assert.Equal(("disabled", "active"), (off.Body.State(), on.Body.State()));
        await Eventually.BeTrueAsync(() => Task.FromResult(receiver.Received.Count == 1), "the second arrives");
    }

    [Fact]
    public async Task Null_takes_a_member_away()
    {
        var project = await service.NewProjectAsync();
        await TestWebhooks.CreateAsync(project, "http://127.0.0.1:9/", TestWebhooks.QuickRetry, concurrency: 3);

        var patched = (
            await project.Http.ChangeAsync("PATCH", Path, """{"concurrency":null,"retry":null}""", "*")
        ).Expect(HttpStatusCode.OK);

        Assert.Equal(10, patched.Body.GetProperty("concurrency").GetInt32());
        Assert.Equal(10, patched.Body.GetProperty("retry").GetProperty("max_attempts").GetInt32());
    }

    [Fact]
    public async Task A_member_of_a_member_can_be_changed_alone()
    {
        var project = await service.NewProjectAsync();
        await TestWebhooks.CreateAsync(project, "http://127.0.0.1:9/", TestWebhooks.QuickRetry);

        var patched = await project.Http.ChangeAsync("PATCH", Path, """{"retry":{"max_attempts":5}}""", "*");

        var retry = patched.Body.GetProperty("retry");
        Assert.Equal(
            (5, "list"),
            (retry.GetProperty("max_attempts").GetInt32(), retry.GetProperty("strategy").GetString())
        );
    }
}
