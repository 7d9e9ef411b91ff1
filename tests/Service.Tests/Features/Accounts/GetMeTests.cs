using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class GetMeTests(ServiceFixture service)
{
    [Fact]
    public async Task A_user_sees_who_he_is_what_he_may_do_and_where_else()
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id, "worker");

        var me = (await user.Http.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK).Body;

        Assert.Equal($"user:{user.Email}", me.GetProperty("actor").GetString());
        Assert.Equal("session", me.GetProperty("method").GetString());
        Assert.Equal(project.Id, me.GetProperty("project_id").GetGuid());
        Assert.Equal("worker", me.GetProperty("role").GetString());
        Assert.Equal(
            ["events:publish", "jobs:work"],
            me.GetProperty("permissions").EnumerateArray().Select(one => one.GetString()!)
        );
        Assert.Equal(project.Name, me.GetProperty("memberships")[0].GetProperty("project").GetString());
        Assert.Equal(43, me.GetProperty("csrf_token").GetString()!.Length);
    }

    [Fact]
    public async Task A_user_without_projects_sees_that_he_may_do_nothing()
    {
        var user = await TestUser.CreateAsync(service, null);

        var me = (await user.Http.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK).Body;

        Assert.Equal(0, me.GetProperty("permissions").GetArrayLength());
        Assert.Equal(0, me.GetProperty("memberships").GetArrayLength());
    }

    [Fact]
    public async Task A_key_sees_itself_and_no_token_of_a_session()
    {
        var project = await service.NewProjectAsync("viewer");

        var me = (await project.Http.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK).Body;

        Assert.Equal("api_key", me.GetProperty("method").GetString());
        Assert.False(me.TryGetProperty("csrf_token", out _));
    }
}
