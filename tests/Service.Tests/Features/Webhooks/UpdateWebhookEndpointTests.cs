using System.Globalization;
using System.Net;
using System.Text;
using Bellhop.Features.Webhooks;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class UpdateWebhookEndpointTests(ServiceFixture service)
{
    private const string Path = "/v1/webhook-endpoints/shop";

    [Fact]
    public async Task What_is_left_out_has_its_default_again_except_the_secret()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        var made = await TestWebhooks.CreateAsync(project, receiver.Url, TestWebhooks.QuickRetry, concurrency: 3);

        var put = (
            await project.Http.ChangeAsync(
                "PUT",
                Path,
                $$"""{"url":"{{receiver.Url}}","event_types":["order.*"]}""",
                "*"
            )
        ).Expect(HttpStatusCode.OK);
        await TestWebhooks.PublishAsync(project);
        await TestWebhooks.BecomeAsync(project, "succeeded");

        Assert.Equal(10, put.Body.GetProperty("concurrency").GetInt32());
        Assert.Equal(10, put.Body.GetProperty("retry").GetProperty("max_attempts").GetInt32());
        Assert.False(put.Body.TryGetProperty("secret", out _));
        var webhook = receiver.Received.Single();
        var key = Convert.FromBase64String(made.GetProperty("secret").GetString()!["whsec_".Length..]);
        var signed = Signature.Sign(
            webhook.Id,
            long.Parse(webhook.Headers["webhook-timestamp"], CultureInfo.InvariantCulture),
            Encoding.UTF8.GetBytes(webhook.Body),
            [key]
        );
        Assert.Equal(signed, webhook.Headers["webhook-signature"]);
    }

    [Fact]
    public async Task One_that_a_put_makes_shows_its_secret_once()
    {
        var http = (await service.NewProjectAsync()).Http;

        var made = await http.ChangeAsync("PUT", Path, """{"url":"http://127.0.0.1:9/","event_types":["*"]}""");

        Assert.StartsWith("whsec_", made.Body.GetProperty("secret").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("whsec_", (await http.CallAsync("GET", Path)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fault_is_named_and_changes_nothing()
    {
        var project = await service.NewProjectAsync();
        await TestWebhooks.CreateAsync(project, "http://127.0.0.1:9/hook");
        var before = await project.Http.CallAsync("GET", Path);

        var answer = await project.Http.ChangeAsync(
            "PUT",
            Path,
            """{"url":"http://10.0.0.1/","event_types":[]}""",
            "*"
        );

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.Status);
        Assert.Equal(
            ["/url", "/event_types"],
            answer.Body.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("pointer").GetString())
        );
        Assert.Equal(before.ETag, (await project.Http.CallAsync("GET", Path)).ETag);
    }
}
