using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class ListWebhookEndpointsTests(ServiceFixture service)
{
    [Fact]
    public async Task Endpoints_are_listed_newest_first_page_by_page_without_secrets()
    {
        var project = await service.NewProjectAsync();
        foreach (var name in (string[])["one", "two", "three"])
        {
            await TestWebhooks.CreateAsync(project, "http://127.0.0.1:9/hook", name: name);
        }

        var first = await GetAsync(project, "?limit=2");
        var second = await GetAsync(project, $"?limit=2&cursor={first.GetProperty("next_cursor").GetString()}");

        Assert.Equal(["three", "two"], Names(first));
        Assert.Equal(["one"], Names(second));
        Assert.Equal(JsonValueKind.Null, second.GetProperty("next_cursor").ValueKind);
        Assert.DoesNotContain("whsec_", first.GetRawText(), StringComparison.Ordinal);
    }

    private static Task<JsonElement> GetAsync(TestProject project, string query) =>
        project.Http.GetFromJsonAsync<JsonElement>(
            $"/v1/webhook-endpoints{query}",
            TestContext.Current.CancellationToken
        );

    private static string[] Names(JsonElement page) =>
        [.. page.GetProperty("items").EnumerateArray().Select(endpoint => endpoint.GetProperty("name").GetString()!)];
}
