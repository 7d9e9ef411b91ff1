using System.Net;
using System.Text;
using Bellhop.Features.Webhooks;
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

    [Fact]
    public async Task What_is_committed_while_it_reads_does_not_show_by_half()
    {
        var (during, after) = await MidRead.AskAsync(
            service,
            id => new GetDelivery.Query(id),
            "delivery_attempts",
            """
            INSERT INTO deliveries (project_id, id, event_id, endpoint_id, state, created_at)
            VALUES (@ProjectId, @Id, @Id, @Id, 'sending', now())
            """,
            """
            UPDATE deliveries SET attempts = 1 WHERE project_id = @ProjectId AND id = @Id;
            INSERT INTO delivery_attempts (project_id, delivery_id, attempt, at) VALUES (@ProjectId, @Id, 1, now())
            """
        );

        Assert.Equal((0, 0), (during.Attempt, during.Attempts.Count));
        Assert.Equal((1, 1), (after.Attempt, after.Attempts.Count));
    }
}
