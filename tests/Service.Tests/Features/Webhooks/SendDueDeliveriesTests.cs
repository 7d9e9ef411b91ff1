using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Features.Webhooks;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class SendDueDeliveriesTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_matching_event_arrives_signed_with_the_secret_that_was_shown()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        var endpoint = await TestWebhooks.CreateAsync(project, receiver.Url);
        var published = new
        {
            type = "order.paid",
            source = "shop",
            id = "o-1",
            subject = "42",
            time = "2026-01-31T09:30:00Z",
            data = new { total = 12.50m, note = "für <you> & me" },
        };

        using (await project.Http.PostAsJsonAsync("/v1/events", published, Token)) { }

        var delivery = await TestWebhooks.BecomeAsync(project, "succeeded");
        var webhook = Assert.Single(receiver.Received);
        Assert.Equal($"{delivery.Id()}", webhook.Id);
        Assert.Equal("1", webhook.Headers["webhook-sequence"]);
        Assert.Equal("application/json", webhook.Headers["content-type"]);
        Assert.Matches("^Bellhop/[0-9]", webhook.Headers["user-agent"]);
        Assert.Equal(Sign(webhook, endpoint.GetProperty("secret").GetString()!), webhook.Headers["webhook-signature"]);
        Assert.Equal(
            """{"id":"o-1","type":"order.paid","source":"shop","subject":"42","timestamp":"2026-01-31T09:30:00.000Z","data":"""
                + webhook.Json.GetProperty("data").GetRawText()
                + "}",
            webhook.Body
        );
        Assert.Equal("für <you> & me", webhook.Json.GetProperty("data").GetProperty("note").GetString());
    }

    [Fact]
    public async Task An_event_of_another_type_makes_no_delivery()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);

        await TestWebhooks.PublishAsync(project, 1, "order");

        Assert.Empty(await TestWebhooks.ListAsync(project));
    }

    [Fact]
    public async Task A_failed_attempt_is_repeated_with_the_same_id_and_sequence_and_a_signature_of_its_own()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync(
            (_, before) => Task.FromResult(before == 0 ? Results.StatusCode(500) : Results.NoContent())
        );
        var endpoint = await TestWebhooks.CreateAsync(project, receiver.Url, TestWebhooks.QuickRetry);
        await TestWebhooks.PublishAsync(project);

        var delivery = await TestWebhooks.BecomeAsync(project, "succeeded");

        Assert.Equal(["http_status", null], delivery.Errors());
        Assert.Equal(2, receiver.Received.Count);
        Assert.Single(
            receiver.Received.Select(webhook => (webhook.Id, webhook.Headers["webhook-sequence"])).Distinct()
        );
        Assert.Single(receiver.Received.Select(webhook => webhook.Body).Distinct());
        Assert.All(
            receiver.Received,
            webhook =>
                Assert.Equal(
                    Sign(webhook, endpoint.GetProperty("secret").GetString()!),
                    webhook.Headers["webhook-signature"]
                )
        );
    }

    [Fact]
    public async Task After_the_last_attempt_it_has_failed()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync((_, _) => Task.FromResult(Results.StatusCode(500)));
        await TestWebhooks.CreateAsync(project, receiver.Url, TestWebhooks.QuickRetry);
        await TestWebhooks.PublishAsync(project);

        var delivery = await TestWebhooks.BecomeAsync(project, "failed");

        Assert.Equal(["http_status", "http_status", "http_status"], delivery.Errors());
        Assert.Equal(JsonValueKind.Null, delivery.GetProperty("next_attempt_at").ValueKind);
    }

    [Fact]
    public async Task A_receiver_that_answers_410_is_not_asked_again()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync((_, _) => Task.FromResult(Results.StatusCode(410)));
        await TestWebhooks.CreateAsync(project, receiver.Url, TestWebhooks.QuickRetry);
        await TestWebhooks.PublishAsync(project);

        var delivery = await TestWebhooks.BecomeAsync(project, "failed");

        Assert.Equal(["gone"], delivery.Errors());
    }

    [Fact]
    public async Task A_redirect_is_a_failure_and_is_not_followed()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync((_, _) => Task.FromResult(Results.Redirect("/elsewhere")));
        await TestWebhooks.CreateAsync(project, receiver.Url, new { max_attempts = 1 });
        await TestWebhooks.PublishAsync(project);

        var delivery = await TestWebhooks.BecomeAsync(project, "failed");

        Assert.Equal(["redirect_not_followed"], delivery.Errors());
        Assert.Equal("/hook", Assert.Single(receiver.Received).Path);
    }

    [Fact]
    public async Task Nobody_listening_is_a_failure_with_its_reason()
    {
        var project = await service.NewProjectAsync();
        await TestWebhooks.CreateAsync(
            project,
            $"http://127.0.0.1:{ServiceProcess.FreePort()}/hook",
            new { max_attempts = 1 }
        );
        await TestWebhooks.PublishAsync(project);

        var delivery = await TestWebhooks.BecomeAsync(project, "failed");

        Assert.Equal(["connect_failed"], delivery.Errors());
    }

    [Fact]
    public async Task Many_deliveries_are_numbered_without_gaps_and_each_arrives_once()
    {
        const int Count = 350;
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);

        await TestWebhooks.PublishAsync(project, Count);

        await Eventually.FitAsync(() => Task.FromResult(receiver.Received.Count), count => count == Count);
        Assert.Equal(
            Enumerable.Range(1, Count),
            receiver.Received.Select(webhook => int.Parse(webhook.Headers["webhook-sequence"], null)).Order()
        );
        Assert.Equal(Count, receiver.Received.Select(webhook => webhook.Id).Distinct().Count());
        await Eventually.BeTrueAsync(
            async () => (await TestWebhooks.ListAsync(project, "&state=sending")).Count == 0,
            "every outcome is written"
        );
    }

    [Fact]
    public async Task A_slow_request_holds_up_nothing_but_itself()
    {
        var release = new TaskCompletionSource();
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync(
            async (_, before) =>
            {
                await (before == 0 ? release.Task : Task.CompletedTask);
                return Results.NoContent();
            }
        );
        await TestWebhooks.CreateAsync(project, receiver.Url, concurrency: 2);

        await TestWebhooks.PublishAsync(project, 30);

        await Eventually.FitAsync(
            () => TestWebhooks.ListAsync(project, "&state=succeeded"),
            succeeded => succeeded.Count == 29
        );
        await TestWebhooks.PublishAsync(project);
        await Eventually.FitAsync(
            () => TestWebhooks.ListAsync(project, "&state=succeeded"),
            succeeded => succeeded.Count == 30
        );
        release.SetResult();
        await Eventually.FitAsync(
            () => TestWebhooks.ListAsync(project, "&state=succeeded"),
            succeeded => succeeded.Count == 31
        );
    }

    [Fact]
    public async Task What_a_silent_sender_left_is_taken_over_and_its_attempt_is_lost()
    {
        const string Abandon = """
            UPDATE deliveries
            SET state = 'sending', sender_job = new_id(), sender_claim = 1, attempts = attempts + 1, finished_at = NULL,
                next_attempt_at = now() - interval '1 second'
            WHERE project_id = @Id
            """;
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.PublishAsync(project);
        await TestWebhooks.BecomeAsync(project, "succeeded");

        await TestWebhooks.ExecuteAsync(project.Database, Abandon, new { project.Id });

        var delivery = await TestWebhooks.BecomeAsync(project, "succeeded");
        Assert.Equal([null, "lost", null], delivery.Errors());
        Assert.Equal(2, receiver.Received.Count);
        Assert.Single(
            receiver.Received.Select(webhook => (webhook.Id, webhook.Headers["webhook-sequence"])).Distinct()
        );
    }

    [Fact]
    public async Task A_sender_that_lost_its_job_takes_nothing_and_writes_nothing()
    {
        const string Take = """
            UPDATE deliveries
            SET state = 'sending', sender_job = @JobId, sender_claim = 2, finished_at = NULL,
                next_attempt_at = now() + interval '1 hour'
            WHERE project_id = @Id
            """;
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        var endpoint = await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.PublishAsync(project);
        var known = await TestWebhooks.BecomeAsync(project, "succeeded");
        var ledger = service.Services.GetRequiredService<DeliveryLedger>();
        var old = new ClaimedJob(
            project.Id,
            Guid.CreateVersion7(),
            1,
            JobQueue.Webhooks,
            "webhooks.send",
            1,
            1,
            20,
            0,
            "{}",
            null
        );
        await TestWebhooks.ExecuteAsync(project.Database, Take, new { project.Id, JobId = old.Id });

        Assert.Empty(await ledger.TakeAsync(old, endpoint.Id(), Token));
        var late = new TakenDelivery(
            known.Id(),
            1,
            1,
            DateTime.UnixEpoch,
            "",
            "",
            "",
            null,
            DateTime.UnixEpoch,
            null,
            null,
            null
        );
        await ledger.SettleAsync(
            old,
            [new Attempt(late, DateTime.UnixEpoch, 500, TimeSpan.Zero, [], new Verdict("failed", "http_status", null))],
            Token
        );
        await ledger.GiveBackAsync(old, [late], Token);

        var after = await TestWebhooks.GetAsync(project, known.Id());
        Assert.Equal("sending", after.State());
        Assert.Equal([null], after.Errors());
    }

    [Fact]
    public async Task A_delivery_goes_on_with_the_trace_that_brought_its_event()
    {
        const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/events");
        request.Headers.Add("traceparent", $"00-{Trace}-00f067aa0ba902b7-01");
        request.Content = JsonContent.Create(
            new
            {
                type = "order.paid",
                source = "shop",
                id = "1",
            }
        );

        using (await project.Http.SendAsync(request, Token)) { }

        await TestWebhooks.BecomeAsync(project, "succeeded");
        Assert.Contains(Trace, Assert.Single(receiver.Received).Headers["traceparent"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_matches_a_disabled_endpoint_is_kept_as_disabled_and_not_sent()
    {
        const string Disable = """
            WITH disabled AS (
                UPDATE webhook_endpoints SET state = 'disabled' WHERE project_id = @Id
            )
            UPDATE rules_versions SET version = version + 1 WHERE project_id = @Id
            """;
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.ExecuteAsync(project.Database, Disable, new { project.Id });

        await TestWebhooks.PublishAsync(project);

        await TestWebhooks.BecomeAsync(project, "disabled");
        Assert.Empty(receiver.Received);
    }

    [Fact]
    public async Task What_waits_for_an_endpoint_that_is_disabled_is_ended()
    {
        const string Disable = "UPDATE webhook_endpoints SET state = 'disabled' WHERE project_id = @Id";
        const string Hurry = "UPDATE deliveries SET next_attempt_at = now() WHERE project_id = @Id";
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync((_, _) => Task.FromResult(Results.StatusCode(500)));
        await TestWebhooks.CreateAsync(project, receiver.Url, new { initial_seconds = 3600 });
        await TestWebhooks.PublishAsync(project);
        await Eventually.FitAsync(
            () => TestWebhooks.ListAsync(project, "&state=pending"),
            found => found is [var one] && one.GetProperty("attempt").GetInt32() == 1
        );

        await TestWebhooks.ExecuteAsync(project.Database, Disable, new { project.Id });
        await TestWebhooks.ExecuteAsync(project.Database, Hurry, new { project.Id });

        await TestWebhooks.BecomeAsync(project, "disabled");
    }

    /// <summary>Standard Webhooks v1, by the book and not by the code under test.</summary>
    private static string Sign(ReceivedRequest webhook, string secret)
    {
        var signed = Encoding.UTF8.GetBytes($"{webhook.Id}.{webhook.Headers["webhook-timestamp"]}.{webhook.Body}");
        return "v1," + Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(secret[6..]), signed));
    }
}
