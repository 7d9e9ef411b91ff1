using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class GetInvitationTests(ServiceFixture service)
{
    [Fact]
    public async Task It_is_where_the_answer_said_until_it_is_canceled_and_in_no_other_project()
    {
        var (project, elsewhere) = (await service.NewProjectAsync(), await service.NewProjectAsync());
        var invited = await project.Http.PostAsync(
            "/v1/users/invite",
            """{"email":"eve@x.example","role":"operator","queues":["default"]}"""
        );
        var path = invited.Expect(HttpStatusCode.Created).Location!;

        var shown = (await project.Http.CallAsync("GET", path)).Expect(HttpStatusCode.OK);
        (await elsewhere.Http.CallAsync("GET", path)).Expect(HttpStatusCode.NotFound);
        (await project.Http.CallAsync("DELETE", path)).Expect(HttpStatusCode.NoContent);
        (await project.Http.CallAsync("GET", path)).Expect(HttpStatusCode.NotFound);

        Assert.Equal((invited.Id, "operator"), (shown.Id, shown.Body.GetProperty("role").GetString()));
        Assert.Equal("default", shown.Body.GetProperty("queues")[0].GetString());
    }
}
