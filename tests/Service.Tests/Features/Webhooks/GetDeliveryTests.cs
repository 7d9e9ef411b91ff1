using System.Net;
using System.Text;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class GetDeliveryTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_attempt_is_shown_with_status_duration_and_what_the_receiver_said()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync(
            (_, before) =>
                Task.FromResult(before == 0 ? Results.Text("not now", statusCode: 503) : Results.Text("thanks"))
        );
        await TestWebhooks.CreateAsync(project, receiver.Url, TestWebhooks.QuickRetry);
        await TestWebhooks.PublishAsync(project);

        var delivery = await TestWebhooks.BecomeAsync(project, "succeeded");

        var attempts = delivery.GetProperty("attempts");
        Assert.Equal(2, attempts.GetArrayLength());
        Assert.Equal(503, attempts[0].GetProperty("status").GetInt32());
        Assert.Equal("http_status", attempts[0].GetProperty("error").GetString());
        Assert.Equal("not now", attempts[0].GetProperty("response").GetString());
        Assert.Equal(200, attempts[1].GetProperty("status").GetInt32());
        Assert.Equal("thanks", attempts[1].GetProperty("response").GetString());
        Assert.True(attempts[1].GetProperty("duration_ms").GetInt32() >= 0);
    }

    [Fact]
    public async Task What_the_receiver_said_is_for_those_who_may_read_data()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync((_, _) => Task.FromResult(Results.Text("a secret")));
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.PublishAsync(project);
        var id = (await TestWebhooks.BecomeAsync(project, "succeeded")).Id();

        await project.UseKeyAsync("viewer");
        var text = await project.Http.GetStringAsync($"/v1/deliveries/{id}", Token);

        Assert.DoesNotContain("a secret", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_a_long_answer_16_KiB_are_kept()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync(
            (_, _) => Task.FromResult(Results.Bytes(Encoding.ASCII.GetBytes(new string('x', 100_000))))
        );
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.PublishAsync(project);

        var delivery = await TestWebhooks.BecomeAsync(project, "succeeded");

        Assert.Equal(16 * 1024, delivery.GetProperty("attempts")[0].GetProperty("response").GetString()!.Length);
    }

    [Fact]
    public async Task Another_projects_delivery_is_404()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.PublishAsync(project);
        var id = (await TestWebhooks.BecomeAsync(project, "succeeded")).Id();
        var other = await service.NewProjectAsync();

        using var answer = await other.Http.GetAsync($"/v1/deliveries/{id}", Token);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }
}
