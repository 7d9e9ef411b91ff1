using System.Net;
using Bellhop.Features.Sources;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Sources;

public sealed class GetSourceTests(ServiceFixture service)
{
    [Fact]
    public async Task A_source_is_found_by_id_and_by_name_in_its_own_project_only()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var made = (
            await project.SendAsync(new CreateSource.Command(new SourceDocument("hub", "github", "a secret of ours")))
        ).Unwrap();

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(project.Http, "hub"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(project.Http, $"{made.Id}"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(other.Http, "hub"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(other.Http, $"{made.Id}"));
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient http, string id)
    {
        using var answer = await http.GetAsync(
            new Uri($"/v1/sources/{id}", UriKind.Relative),
            TestContext.Current.CancellationToken
        );
        return answer.StatusCode;
    }
}
