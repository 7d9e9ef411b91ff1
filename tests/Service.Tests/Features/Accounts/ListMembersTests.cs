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

        // of one millisecond either may have come first
        var newest = new[] { owner, narrowed }.OrderByDescending(user => $"{user.MemberId}", StringComparer.Ordinal);
        Assert.Equal(
            newest.Select(user => user.Email),
            items.EnumerateArray().Select(member => member.GetProperty("email").GetString())
        );
        var shown = items.EnumerateArray().Single(member => Id(member, "id") == narrowed.MemberId);
        Assert.Equal("default", shown.GetProperty("queues")[0].GetString());
        Assert.Equal(narrowed.Id, Id(shown, "user_id"));
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
