using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Sources;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Sources;

public sealed class ListSourcesTests(ServiceFixture service)
{
    [Fact]
    public async Task The_sources_of_the_project_are_listed_the_newest_first()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        await project.SendAsync(new CreateSource.Command(new SourceDocument("one", "github", "a secret of ours")));
        await project.SendAsync(new CreateSource.Command(new SourceDocument("two", "github", "a secret of ours")));
        await other.SendAsync(new CreateSource.Command(new SourceDocument("three", "github", "a secret of ours")));

        var page = await project.Http.GetFromJsonAsync<JsonElement>(
            "/v1/sources",
            TestContext.Current.CancellationToken
        );

        var names = page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("name").GetString());
        Assert.Equal(["two", "one"], names);
        Assert.Equal(JsonValueKind.Null, page.GetProperty("next_cursor").ValueKind);
    }
}
