using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class RestoreProjectTests(ServiceFixture service)
{
    [Fact]
    public async Task It_is_as_it_was_and_both_are_on_record()
    {
        var project = await service.NewProjectAsync();
        var owner = await TestUser.CreateAsync(service, project.Id);
        (await owner.Http.PostAsync($"/v1/projects/{project.Name}/archive", "{}")).Expect(HttpStatusCode.OK);

        var restored = await owner.Http.PostAsync($"/v1/projects/{project.Name}/restore", "{}");
        var again = await owner.Http.PostAsync($"/v1/projects/{project.Name}/restore", "{}");

        Assert.Equal(restored.Expect(HttpStatusCode.OK).Text, again.Expect(HttpStatusCode.OK).Text);
        Assert.Equal(3, restored.Body.GetProperty("revision").GetInt32());
        (await project.Http.PostAsync("/v1/jobs", """{"queue":"default","kind":"noop","args":{}}""")).Expect(
            HttpStatusCode.Created
        );
        var audit = await project.Http.CallAsync("GET", $"/v1/audit?actor=user:{owner.Email}");
        Assert.Equal(
            ["projects.restore", "projects.archive"],
            audit
                .Expect(HttpStatusCode.OK)
                .Body.GetProperty("items")
                .EnumerateArray()
                .Select(entry => entry.GetProperty("action").GetString())
        );
    }
}
