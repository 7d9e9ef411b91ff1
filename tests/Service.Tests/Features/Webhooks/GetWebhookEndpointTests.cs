using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class GetWebhookEndpointTests(ServiceFixture service)
{
    private const string Url = "http://127.0.0.1:9/hook";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_endpoint_is_found_by_its_id_and_by_its_name()
    {
        var project = await service.NewProjectAsync();
        var made = await TestWebhooks.CreateAsync(project, Url);

        var byId = await project.Http.GetStringAsync($"/v1/webhook-endpoints/{made.Id()}", Token);
        var byName = await project.Http.GetStringAsync("/v1/webhook-endpoints/shop", Token);

        Assert.Equal(byId, byName);
        var shown = JsonElement.Parse(byId);
        Assert.Equal(Url, shown.GetProperty("url").GetString());
        Assert.Equal("active", shown.State());
        Assert.False(shown.TryGetProperty("secret", out _));
    }

    [Fact]
    public async Task Without_a_policy_it_shows_the_ten_attempts_of_Standard_Webhooks()
    {
        var project = await service.NewProjectAsync();
        await TestWebhooks.CreateAsync(project, Url);

        var shown = await project.Http.GetFromJsonAsync<JsonElement>("/v1/webhook-endpoints/shop", Token);

        var retry = shown.GetProperty("retry");
        Assert.Equal(10, retry.GetProperty("max_attempts").GetInt32());
        Assert.Equal(
            [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400],
            retry.GetProperty("delays_seconds").EnumerateArray().Select(delay => delay.GetInt32())
        );
    }

    [Fact]
    public async Task Another_projects_endpoint_is_404()
    {
        var made = await TestWebhooks.CreateAsync(await service.NewProjectAsync(), Url);
        var other = await service.NewProjectAsync();

        using var answer = await other.Http.GetAsync($"/v1/webhook-endpoints/{made.Id()}", Token);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }
}
