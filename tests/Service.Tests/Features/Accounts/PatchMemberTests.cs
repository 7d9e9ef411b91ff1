using System.Net;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class PatchMemberTests(ServiceFixture service)
{
    [Fact]
    public async Task A_role_changes_under_a_precondition_and_holds_at_once()
    {
        var project = await service.NewProjectAsync();
        var owner = await TestUser.CreateAsync(service, project.Id);
        var member = await TestUser.CreateAsync(service, project.Id, "viewer");
        var path = $"/v1/members/{member.MemberId}";
        var etag = (await owner.Http.CallAsync("GET", path)).ETag!;
        (await member.Http.CallAsync("GET", "/v1/api-keys")).Expect(HttpStatusCode.Forbidden);

        (await owner.Http.ChangeAsync("PATCH", path, """{"role":"admin"}""")).Expect(
            HttpStatusCode.PreconditionRequired
        );
        var patched = await owner.Http.ChangeAsync("PATCH", path, """{"role":"admin","queues":["default"]}""", etag);
        var late = await owner.Http.ChangeAsync("PATCH", path, """{"role":"viewer"}""", etag);

        Assert.Equal(2, patched.Expect(HttpStatusCode.OK).Body.GetProperty("revision").GetInt32());
        late.Expect(HttpStatusCode.PreconditionFailed);
        (await member.Http.CallAsync("GET", "/v1/api-keys")).Expect(HttpStatusCode.OK);
        var audit = await owner.Http.CallAsync("GET", $"/v1/audit?target=members/{member.Email}");
        var id = audit.Body.GetProperty("items")[0].GetProperty("id").GetGuid();
        var entry = (await owner.Http.CallAsync("GET", $"/v1/audit/{id}")).Body;
        Assert.Equal(
            ("members.update", "viewer", "admin", $"user:{owner.Email}"),
            (
                entry.GetProperty("action").GetString(),
                entry.GetProperty("before").GetProperty("role").GetString(),
                entry.GetProperty("after").GetProperty("role").GetString(),
                entry.GetProperty("actor").GetString()
            )
        );
    }

    [Fact]
    public async Task A_member_who_is_disabled_is_none_until_that_is_taken_back()
    {
        var project = await service.NewProjectAsync();
        var member = await TestUser.CreateAsync(service, project.Id, "viewer");
        var path = $"/v1/members/{member.MemberId}";

        (await project.Http.ChangeAsync("PATCH", path, """{"disabled":true}""", "*")).Expect(HttpStatusCode.OK);
        (await member.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.NotFound);
        (await project.Http.ChangeAsync("PATCH", path, """{"disabled":false}""", "*")).Expect(HttpStatusCode.OK);
        (await member.Http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("viewer", """{"role":"owner"}""", 403, "forbidden")] // an admin lacks projects:write
    [InlineData("owner", """{"role":"viewer"}""", 403, "forbidden")] // and owners can do more
    [InlineData("viewer", """{"role":"emperor"}""", 422, "invalid")]
    [InlineData("viewer", """{"role":null}""", 422, "invalid")]
    [InlineData("viewer", """{"scopes":["jobs:write"]}""", 422, "invalid")]
    [InlineData("viewer", """{"hours":{"from":"8"}}""", 422, "invalid")]
    [InlineData("viewer", """{"email":"a@example.com"}""", 400, "malformed_body")]
    [InlineData("viewer", """{"disabled":null}""", 200, null)]
    [InlineData("viewer", """{"role":"admin"}""", 200, null)]
    public async Task Nobody_grants_what_he_lacks_and_what_is_unsound_is_refused(
        string role,
        string patch,
        int status,
        string? code
    )
    {
        var project = await service.NewProjectAsync();
        var admin = await TestUser.CreateAsync(service, project.Id, "admin");
        await TestUser.CreateAsync(service, project.Id);
        var member = await TestUser.CreateAsync(service, project.Id, role);

        var answer = await admin.Http.ChangeAsync("PATCH", $"/v1/members/{member.MemberId}", patch, "*");

        Assert.Equal((status, code), ((int)answer.Status, answer.Code));
    }

    [Theory]
    [InlineData("""{"role":"admin"}""")]
    [InlineData("""{"disabled":true}""")]
    [InlineData("""{"queues":["default"]}""")]
    [InlineData("""{"scopes":["jobs:read"]}""")]
    public async Task The_last_owner_stays_one_and_one_of_two_need_not(string patch)
    {
        var project = await service.NewProjectAsync();
        var owner = await TestUser.CreateAsync(service, project.Id);
        // none of these counts
        await TestUser.CreateAsync(service, project.Id, access: new Access { Tags = ["a"] });
        var path = $"/v1/members/{owner.MemberId}";

        var last = await owner.Http.ChangeAsync("PATCH", path, patch, "*");
        await TestUser.CreateAsync(service, project.Id);
        var oneOfTwo = await owner.Http.ChangeAsync("PATCH", path, patch, "*");

        Assert.Equal("last_owner", last.Expect(HttpStatusCode.Conflict).Code);
        oneOfTwo.Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task An_owner_who_is_disabled_everywhere_does_not_count()
    {
        var project = await service.NewProjectAsync();
        var (owner, other) = (
            await TestUser.CreateAsync(service, project.Id),
            await TestUser.CreateAsync(service, project.Id)
        );
        await CliProcess.RunAsync(CliProcess.On(service), "users", "disable", "--email", other.Email);

        var answer = await owner.Http.ChangeAsync(
            "PATCH",
            $"/v1/members/{owner.MemberId}",
            """{"role":"admin"}""",
            "*"
        );

        Assert.Equal("last_owner", answer.Expect(HttpStatusCode.Conflict).Code);
    }

    [Fact]
    public async Task Two_owners_who_demote_each_other_at_once_leave_one()
    {
        for (var round = 0; round < 50; round++)
        {
            var project = await service.NewProjectAsync();
            var owners = await Task.WhenAll(
                TestUser.CreateAsync(service, project.Id),
                TestUser.CreateAsync(service, project.Id)
            );
            var answers = await Task.WhenAll(
                DemoteAsync(by: owners[0], owners[1]),
                DemoteAsync(by: owners[1], owners[0])
            );

            // the second may be told that he may not any more, or that the other is the last one
            Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
            var left = (await project.Http.CallAsync("GET", "/v1/members")).Expect(HttpStatusCode.OK).Body;
            Assert.Single(
                left.GetProperty("items").EnumerateArray(),
                member => member.GetProperty("role").GetString() == Roles.Owner
            );
        }
    }

    [Fact]
    public async Task It_holds_on_another_replica_within_five_seconds()
    {
        await using var one = await OwnService.StartAsync(service);
        await using var other = await OwnService.StartAsync(service, beside: one);
        var owner = await TestUser.CreateAsync(one.Database, one.Address, one.ProjectId);
        var member = await TestAccount.CreateAsync(one, one.ProjectId);
        using var there = TestAccount.Client(other.Address);
        var signedIn = await there.PostAsync(
            "/v1/auth/token",
            $$"""{"grant_type":"password","email":"{{member.Email}}","password":"{{TestAccount.Password}}"}"""
        );
        there.DefaultRequestHeaders.Authorization = new(
            "Bearer",
            signedIn.Expect(HttpStatusCode.OK).Body.GetProperty("access_token").GetString()
        );
        (await there.CallAsync("GET", "/v1/members")).Expect(HttpStatusCode.OK);

        (await owner.Http.ChangeAsync("PATCH", $"/v1/members/{member.Email}", """{"role":"viewer"}""", "*")).Expect(
            HttpStatusCode.OK
        );

        await Eventually.FitAsync(
            async () => (await there.CallAsync("GET", "/v1/members")).Status,
            status => status == HttpStatusCode.Forbidden,
            TimeSpan.FromSeconds(5)
        );
    }

    [Fact]
    public async Task The_command_line_sets_roles()
    {
        var project = await service.NewProjectAsync();
        var viewer = await TestUser.CreateAsync(service, project.Id, "viewer");

        var run = await CliProcess.RunAsync(
            CliProcess.On(service),
            "members",
            "set-role",
            "--project",
            project.Name,
            "--email",
            viewer.Email,
            "--role",
            "owner"
        );

        Assert.Equal((0, $"{viewer.Email} owner"), (run.ExitCode, run.Output));
        (await viewer.Http.CallAsync("GET", "/v1/members")).Expect(HttpStatusCode.OK);
    }

    private static Task<Answer> DemoteAsync(TestUser by, TestUser whom) =>
        by.Http.ChangeAsync("PATCH", $"/v1/members/{whom.MemberId}", """{"role":"viewer"}""", "*");
}
