using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class RemoveMemberTests(ServiceFixture service)
{
    [Fact]
    public async Task A_member_is_one_no_more_at_once_and_may_come_again()
    {
        var project = await service.NewProjectAsync();
        var admin = await TestUser.CreateAsync(service, project.Id, "admin");
        var member = await TestUser.CreateAsync(service, project.Id, "viewer");
        var path = $"/v1/members/{member.MemberId}";
        (await member.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);

        (await admin.Http.ChangeAsync("DELETE", path)).Expect(HttpStatusCode.PreconditionRequired);
        (await admin.Http.ChangeAsync("DELETE", path, ifMatch: "*")).Expect(HttpStatusCode.NoContent);
        (await admin.Http.ChangeAsync("DELETE", path, ifMatch: "*")).Expect(HttpStatusCode.NotFound);

        (await member.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.NotFound);
        var invited = await admin.Http.PostAsync(
            "/v1/users/invite",
            $$"""{"email":"{{member.Email}}","role":"viewer"}"""
        );
        invited.Expect(HttpStatusCode.Created);
        var audit = await admin.Http.CallAsync("GET", $"/v1/audit?target=members/{member.Email}");
        Assert.Equal("members.remove", audit.Body.GetProperty("items")[0].GetProperty("action").GetString());
    }

    [Theory]
    [InlineData("DELETE", null)]
    [InlineData("PATCH", """{"disabled":true}""")]
    public async Task Who_is_removed_or_disabled_does_not_come_back_by_an_invitation_from_before(
        string method,
        string? patch
    )
    {
        var project = await service.NewProjectAsync();
        await TestUser.CreateAsync(service, project.Id);
        var account = await TestAccount.CreateAsync(service, project.Id);
        var (_, token) = await RedeemTokenTests.InviteAsync(project, "admin", account.Email);

        var ended = await project.Http.ChangeAsync(method, $"/v1/members/{account.Email}", patch, "*");
        using var client = TestAccount.Client(service.Address);
        var back = await client.PostAsync(
            "/v1/auth/redeem",
            $$"""{"token":"{{token}}","password":"{{TestAccount.Password}}"}"""
        );

        Assert.True(ended.Status is HttpStatusCode.NoContent or HttpStatusCode.OK, ended.Text);
        Assert.Equal("invalid_token", back.Expect(HttpStatusCode.Unauthorized).Code);
    }

    [Fact]
    public async Task Nobody_removes_who_can_do_more_nor_the_last_owner()
    {
        var project = await service.NewProjectAsync();
        var admin = await TestUser.CreateAsync(service, project.Id, "admin");
        var owner = await TestUser.CreateAsync(service, project.Id);
        var path = $"/v1/members/{owner.MemberId}";

        var more = await admin.Http.ChangeAsync("DELETE", path, ifMatch: "*");
        var last = await owner.Http.ChangeAsync("DELETE", path, ifMatch: "*");

        more.Expect(HttpStatusCode.Forbidden);
        Assert.Equal("last_owner", last.Expect(HttpStatusCode.Conflict).Code);
    }

    [Fact]
    public async Task Two_owners_who_remove_each_other_at_once_leave_one()
    {
        for (var round = 0; round < 50; round++)
        {
            var project = await service.NewProjectAsync();
            var owners = await Task.WhenAll(
                TestUser.CreateAsync(service, project.Id),
                TestUser.CreateAsync(service, project.Id)
            );

            var answers = await Task.WhenAll(
                owners[0].Http.ChangeAsync("DELETE", $"/v1/members/{owners[1].MemberId}", ifMatch: "*"),
                owners[1].Http.ChangeAsync("DELETE", $"/v1/members/{owners[0].MemberId}", ifMatch: "*")
            );

            Assert.Single(answers, answer => answer.Status == HttpStatusCode.NoContent);
            var left = (await project.Http.CallAsync("GET", "/v1/members")).Expect(HttpStatusCode.OK).Body;
            Assert.Equal(1, left.GetProperty("items").GetArrayLength());
        }
    }

    [Fact]
    public async Task The_command_line_removes_by_address()
    {
        var project = await service.NewProjectAsync();
        var viewer = await TestUser.CreateAsync(service, project.Id, "viewer");
        string[] words = ["members", "remove", "--project", project.Name, "--email", viewer.Email];

        var run = await CliProcess.RunAsync(CliProcess.On(service), words);
        var again = await CliProcess.RunAsync(CliProcess.On(service), words);

        Assert.Equal((0, viewer.Email, 3), (run.ExitCode, run.Output, again.ExitCode));
    }
}
