using System.Net;
using System.Text;
using Bellhop.Features.Events;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class GetEventTests(ServiceFixture service)
{
    [Fact]
    public async Task An_event_of_another_project_is_not_found()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var command = new PublishEvent.Command(
            new EventRequest(Encoding.UTF8.GetBytes("""{"type":"t","source":"s"}"""))
        );
        var id = (await project.SendAsync(command)).Unwrap().Id;

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(project.Http, $"{id}"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(other.Http, $"{id}"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(project.Http, $"{Guid.NewGuid()}"));
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient http, string id)
    {
        using var answer = await http.GetAsync(
            new Uri($"/v1/events/{id}", UriKind.Relative),
            TestContext.Current.CancellationToken
        );
        return answer.StatusCode;
    }
}
