using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.ApiKeys;

public sealed class GetApiKeyTests(ServiceFixture service)
{
    [Fact]
    public async Task A_key_is_shown_by_id_and_name_and_never_itself()
    {
        var project = await service.NewProjectAsync();
        var made = (
            await project.Http.PostAsync("/v1/api-keys", """{"name":"k","role":"worker","queues":["a"]}""")
        ).Expect(HttpStatusCode.Created);
        var secret = made.Body.GetProperty("key").GetString()!;

        var byId = (await project.Http.CallAsync("GET", $"/v1/api-keys/{made.Id}")).Expect(HttpStatusCode.OK);
        var byName = (await project.Http.CallAsync("GET", "/v1/api-keys/k")).Expect(HttpStatusCode.OK);

        Assert.Equal(byId.Text, byName.Text);
        Assert.Equal("active", byId.Body.GetProperty("state").GetString());
        Assert.Equal("a", byId.Body.GetProperty("queues")[0].GetString());
        Assert.DoesNotContain(secret[30..], byId.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_does_not_manage_members_sees_none()
    {
        var project = await service.NewProjectAsync("developer");

        (await project.Http.CallAsync("GET", "/v1/api-keys/k")).Expect(HttpStatusCode.Forbidden);
    }
}
