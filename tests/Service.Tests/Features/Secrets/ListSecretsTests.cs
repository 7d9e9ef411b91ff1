using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Secrets;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Features.Secrets;

public sealed class ListSecretsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_viewer_sees_the_names_page_by_page_and_no_value()
    {
        var project = await service.NewProjectAsync("viewer");
        foreach (var name in (string[])["b", "c", "a"])
        {
            await project.SendAsync(new PutSecret.Command(name, "hidden value"));
        }

        var first = await project.Http.GetStringAsync("/v1/secrets?limit=2", Token);
        using var page = JsonDocument.Parse(first);
        var next = page.RootElement.GetProperty("next_cursor").GetString();
        var second = await project.Http.GetStringAsync($"/v1/secrets?limit=2&cursor={next}", Token);

        Assert.Equal(["a", "b"], Names(first));
        Assert.Equal(["c"], Names(second));
        Assert.DoesNotContain("hidden", first + second, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_projects_secrets_are_not_listed()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        await other.SendAsync(new PutSecret.Command("others", "value"));

        var list = await project.Http.GetFromJsonAsync<JsonElement>("/v1/secrets", Token);

        Assert.Equal(0, list.GetProperty("items").GetArrayLength());
    }

    [Fact]
    public async Task The_last_use_is_noted_at_most_once_a_minute()
    {
        var project = await service.NewProjectAsync();
        await project.SendAsync(new PutSecret.Command("key", "value"));
        var clock = new FakeTimeProvider(DateTimeOffset.Parse("2031-01-01T00:00:00Z", null));
        var secrets = ActivatorUtilities.CreateInstance<NamedSecrets>(service.Services, clock);

        Assert.Null(await LastUsedAsync(project));
        await secrets.FindAsync(project.Id, "key", Token);
        var first = await LastUsedAsync(project);
        clock.Advance(TimeSpan.FromSeconds(59));
        await secrets.FindAsync(project.Id, "key", Token);
        var within = await LastUsedAsync(project);
        clock.Advance(TimeSpan.FromSeconds(6));
        await secrets.FindAsync(project.Id, "key", Token);

        Assert.Equal("2031-01-01T00:00:00.000Z", first);
        Assert.Equal(first, within);
        Assert.Equal("2031-01-01T00:01:05.000Z", await LastUsedAsync(project));
    }

    [Fact]
    public async Task A_value_that_another_process_replaced_is_seen_after_five_seconds()
    {
        var project = await service.NewProjectAsync();
        await project.SendAsync(new PutSecret.Command("key", "old"));
        var clock = new FakeTimeProvider();
        var secrets = ActivatorUtilities.CreateInstance<NamedSecrets>(service.Services, clock);

        await secrets.FindAsync(project.Id, "key", Token);
        await project.SendAsync(new PutSecret.Command("key", "new"));
        clock.Advance(TimeSpan.FromSeconds(4.9));
        var soon = await secrets.FindAsync(project.Id, "key", Token);
        clock.Advance(TimeSpan.FromSeconds(0.2));

        Assert.Equal("old", soon);
        Assert.Equal("new", await secrets.FindAsync(project.Id, "key", Token));
    }

    private static async Task<string?> LastUsedAsync(TestProject project)
    {
        var list = await project.Http.GetFromJsonAsync<JsonElement>("/v1/secrets", Token);
        return list.GetProperty("items")[0].GetProperty("last_used_at").GetString();
    }

    private static string[] Names(string page)
    {
        using var document = JsonDocument.Parse(page);
        return
        [
            .. document
                .RootElement.GetProperty("items")
                .EnumerateArray()
                .Select(secret => secret.GetProperty("name").GetString()!),
        ];
    }
}
