using System.Net;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class ListMembersTests(ServiceFixture service)
{
    [Fact]
    public async Task Members_are_the_newest_first_with_what_narrows_them()
    {
        var project = await service.NewProjectAsync();
        var owner = await TestUser.CreateAsync(service, project.Id);
        var narrowed = await TestUser.CreateAsync(service, project.Id, "operator", new Access { Queues = ["default"] });

        var items = (await owner.Http.CallAsync("GET", "/v1/members"))
            .Expect(HttpStatusCode.OK)
            .Body.GetProperty("items");

        Assert.Equal(
            [narrowed.Email, owner.Email],
            items.EnumerateArray().Select(member => member.GetProperty("email").GetString())
        );
        Assert.Equal("default", items[0].GetProperty("queues")[0].GetString());
        Assert.Equal((narrowed.MemberId, narrowed.Id), (Id(items[0], "id"), Id(items[0], "user_id")));
    }

    [Fact]
    public async Task The_command_line_lists_them()
    {
        var project = await service.NewProjectAsync();
        var viewer = await TestUser.CreateAsync(service, project.Id, "viewer");

        var run = await CliProcess.RunAsync(CliProcess.On(service), "members", "list", "--project", project.Name);

        Assert.Equal((0, $"{viewer.MemberId}\t{viewer.Email}\tviewer\tactive"), (run.ExitCode, run.Output));
    }

    private static Guid? Id(global::System.Text.Json.JsonElement member, string name) =>
        member.GetProperty(name).GetGuid();
}
