using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class ListConnectionsTests(ServiceFixture service)
{
    [Theory]
    [InlineData("", "llm", "s3", "smtp", "mysql", "postgresql", "http")]
    [InlineData("?sort=created_at", "http", "postgresql", "mysql", "smtp", "s3", "llm")]
    [InlineData("?kind=smtp", "smtp")]
    [InlineData("?kind=smtp&sort=created_at", "smtp")]
    public async Task They_are_listed_all_or_of_a_kind_and_none_shows_its_secret(string query, params string[] names)
    {
        var project = await service.NewProjectAsync();
        foreach (var (kind, document) in TestConnections.Sound)
        {
            await project.MakeAsync(kind, document.Replace("\"s\"", "\"canary-8c3\""));
        }

        var page = (await project.Http.CallAsync("GET", TestConnections.Path + query)).Expect(HttpStatusCode.OK);

        Assert.Equal(
            names,
            page.Body.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("name").GetString())
        );
        Assert.DoesNotContain("canary", page.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_kind_there_is_not_is_400()
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.CallAsync("GET", $"{TestConnections.Path}?kind=ftp");

        Assert.Equal((HttpStatusCode.BadRequest, "invalid_parameter"), (answer.Status, answer.Code));
    }
}
