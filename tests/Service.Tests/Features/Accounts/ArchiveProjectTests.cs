using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class ArchiveProjectTests(ServiceFixture service)
{
    [Fact]
    public async Task It_is_read_and_changed_no_more_by_users_keys_and_tokens()
    {
        var project = await service.NewProjectAsync();
        var owner = await TestUser.CreateAsync(service, project.Id);
        (await project.Http.PostAsync("/v1/jobs", Job)).Expect(HttpStatusCode.Created);

        var archived = await owner.Http.PostAsync($"/v1/projects/{project.Id}/archive", "{}");
        var again = await owner.Http.PostAsync($"/v1/projects/{project.Id}/archive", "{}");

        var at = archived.Expect(HttpStatusCode.OK).Body.GetProperty("archived_at").GetString();
        Assert.NotNull(at);
        Assert.Equal(archived.Text, again.Expect(HttpStatusCode.OK).Text);
        var token = await project.Http.PostAsync(
            "/v1/auth/token",
            $$"""{"grant_type":"api_key","api_key":"{{project.Key}}"}"""
        );
        using var program = service.NewClient(token.Body.GetProperty("access_token").GetString());
        foreach (var http in new[] { owner.Http, project.Http, program })
        {
            (await http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);
            (await http.CallAsync("GET", "/v1/audit")).Expect(HttpStatusCode.OK);
            Assert.Equal("project_archived", (await http.PostAsync("/v1/jobs", Job)).Code);
            Assert.Equal(
                "project_archived",
                (await http.PostAsync("/v1/events", """{"type":"a.b","source":"tests"}""")).Code
            );
            Assert.Equal("project_archived", (await http.CallAsync("GET", "/v1/members")).Code);
            var check = await http.PostAsync("/v1/auth/check", """{"permission":"jobs:write"}""");
            Assert.Contains("archived", check.Body.GetProperty("because").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_inbound_path_leads_nowhere_from_then_on_and_somewhere_again_when_it_is_restored()
    {
        await using var own = await OwnService.StartAsync(service);
        var project = new HttpClient { BaseAddress = own.Address };
        project.DefaultRequestHeaders.Authorization = new("Bearer", await own.NewKeyAsync());
        var owner = await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId);
        var made = await project.PostAsync(
            "/v1/sources",
            """{"name":"hub","scheme":"github","secret":"kept-for-the-tests"}"""
        );
        var path = made.Expect(HttpStatusCode.Created).Body.GetProperty("inbound_path").GetString()!;

        (await owner.Http.PostAsync($"/v1/projects/{own.ProjectId}/archive", "{}")).Expect(HttpStatusCode.OK);
        (await project.PostAsync(path, "{}")).Expect(HttpStatusCode.NotFound);
        (await owner.Http.PostAsync($"/v1/projects/{own.ProjectId}/restore", "{}")).Expect(HttpStatusCode.OK);
        (await project.PostAsync(path, "{}")).Expect(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Nobody_comes_in_by_an_invitation_until_it_is_restored()
    {
        var project = await service.NewProjectAsync();
        var owner = await TestUser.CreateAsync(service, project.Id);
        var email = $"e{Guid.NewGuid():N}@x.example";
        var invited = await service.SendAsync(
            project.Id,
            new InviteUser.Command(new InvitationDocument(email, "viewer"), Prints: true)
        );
        var redemption = $$"""{"token":"{{invited.Unwrap().Token}}","password":"a long sentence of yours"}""";
        using var client = service.NewClient();

        (await owner.Http.PostAsync($"/v1/projects/{project.Id}/archive", "{}")).Expect(HttpStatusCode.OK);
        var early = await client.PostAsync("/v1/auth/redeem", redemption);
        (await owner.Http.PostAsync($"/v1/projects/{project.Id}/restore", "{}")).Expect(HttpStatusCode.OK);
        var late = await client.PostAsync("/v1/auth/redeem", redemption);

        Assert.Equal("invalid_token", early.Expect(HttpStatusCode.Unauthorized).Code);
        late.Expect(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Only_owners_archive()
    {
        var project = await service.NewProjectAsync();
        var admin = await TestUser.CreateAsync(service, project.Id, "admin");

        foreach (var action in new[] { "archive", "restore" })
        {
            var answer = await admin.Http.PostAsync($"/v1/projects/{project.Id}/{action}", "{}");
            Assert.Equal("forbidden", answer.Expect(HttpStatusCode.Forbidden).Code);
        }
    }

    private const string Job = """{"queue":"default","kind":"noop","args":{}}""";
}
