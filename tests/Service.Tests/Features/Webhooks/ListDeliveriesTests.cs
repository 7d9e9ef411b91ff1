using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class ListDeliveriesTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Deliveries_are_listed_page_by_page_each_once()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.PublishAsync(project, 5);
        await Eventually.FitAsync(
            () => TestWebhooks.ListAsync(project, "&state=succeeded"),
            succeeded => succeeded.Count == 5
        );

        var ids = new List<Guid>();
        string? cursor = null;
        do
        {
            var query = cursor is null ? "?limit=2" : $"?limit=2&cursor={cursor}";
            var page = await project.Http.GetFromJsonAsync<JsonElement>($"/v1/deliveries{query}", Token);
            ids.AddRange(page.GetProperty("items").EnumerateArray().Select(delivery => delivery.Id()));
            cursor = page.GetProperty("next_cursor").GetString();
        } while (cursor is not null);

        Assert.Equal(5, ids.Distinct().Count());
        Assert.Equal(ids.Select(id => $"{id}").OrderDescending(StringComparer.Ordinal), ids.Select(id => $"{id}"));
    }

    [Fact]
    public async Task They_are_filtered_by_endpoint_and_by_state()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        var one = await TestWebhooks.CreateAsync(project, receiver.Url, name: "one", type: "order.paid");
        await TestWebhooks.CreateAsync(project, receiver.Url, name: "two", type: "order.sent");
        await TestWebhooks.PublishAsync(project, 2);
        await TestWebhooks.PublishAsync(project, 1, "order.sent");

        var ofOne = await Eventually.FitAsync(
            () => TestWebhooks.ListAsync(project, $"&endpoint_id={one.Id()}&state=succeeded"),
            found => found.Count == 2
        );

        Assert.All(ofOne, delivery => Assert.Equal(one.Id(), delivery.GetProperty("endpoint_id").GetGuid()));
        Assert.Empty(await TestWebhooks.ListAsync(project, "&state=failed"));
        await Eventually.FitAsync(() => TestWebhooks.ListAsync(project, "&state=succeeded"), found => found.Count == 3);
    }

    [Theory]
    [InlineData("state=sent", "state")]
    [InlineData("endpoint_id=shop", "endpoint_id")]
    [InlineData("event=1", "event")]
    public async Task A_filter_that_means_nothing_is_400(string query, string parameter)
    {
        var project = await service.NewProjectAsync();

        using var answer = await project.Http.GetAsync($"/v1/deliveries?{query}", Token);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal(parameter, problem.GetProperty("errors")[0].GetProperty("parameter").GetString());
    }

    [Fact]
    public async Task Another_project_sees_none_of_them()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.PublishAsync(project);

        await TestWebhooks.BecomeAsync(project, "succeeded");
        Assert.Empty(await TestWebhooks.ListAsync(await service.NewProjectAsync()));
    }
}
