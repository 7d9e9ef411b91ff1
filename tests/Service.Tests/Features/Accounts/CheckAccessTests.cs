using System.Net;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class CheckAccessTests(ServiceFixture service)
{
    private const string Automation =
        """{"name":"triage","tags":["billing"],"on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{"x":1}}]}""";

    [Theory]
    [InlineData("jobs:read", null, true, "The role operator has jobs:read.")]
    [InlineData("jobs:write", null, false, "The role operator lacks jobs:write.")]
    [InlineData("jobs:operate", null, false, "The role operator has jobs:operate, and the scopes leave it out.")]
    [InlineData(
        "jobs:read",
        "queues/default",
        true,
        "The role operator has jobs:read, and nothing that narrows it excludes queues/default."
    )]
    [InlineData("jobs:read", "queues/webhooks", false, "only jobs of the queues default")]
    [InlineData("automations:read", "automations/triage", false, "only what is tagged sales")]
    [InlineData("automations:read", "automations/none", false, "There is no automations/none.")]
    public async Task It_says_whether_and_why(string permission, string? resource, bool isAllowed, string because)
    {
        var project = await service.NewProjectAsync();
        (await project.Http.PostAsync("/v1/automations", Automation)).Expect(HttpStatusCode.Created);
        var access = new Access
        {
            Scopes = [Permissions.JobsRead, Permissions.AutomationsRead],
            Queues = ["default"],
            Tags = ["sales"],
        };
        var caller = (await TestUser.CreateAsync(service, project.Id, "operator", access)).Http;

        var answer = await AskAsync(caller, permission, resource);

        Assert.Equal(isAllowed, answer.Expect(HttpStatusCode.OK).Body.GetProperty("allowed").GetBoolean());
        Assert.Contains(because, answer.Body.GetProperty("because").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Jobs_runs_and_the_rest_are_found_and_those_of_others_are_not()
    {
        var lists = (string[])
            [
                "/v1/jobs",
                "/v1/automations",
                "/v1/runs",
                "/v1/sources",
                "/v1/webhook-endpoints",
                "/v1/deliveries",
                "/v1/connections",
            ];
        var furnished = await Furnished.CreateAsync(service, lists);
        var stranger = await service.NewProjectAsync();
        foreach (var list in lists)
        {
            var resource = furnished.Fill($"{list}/{{id}}")["/v1/".Length..];

            var own = (await AskAsync(furnished.Project.Http, "jobs:read", resource)).Expect(HttpStatusCode.OK);
            var others = (await AskAsync(stranger.Http, "jobs:read", resource)).Expect(HttpStatusCode.OK);

            Assert.True(own.Body.GetProperty("allowed").GetBoolean(), own.Text);
            Assert.Equal($"There is no {resource}.", others.Body.GetProperty("because").GetString());
        }
    }

    [Fact]
    public async Task A_user_without_a_project_learns_that_he_picked_none()
    {
        var nobody = (await TestUser.CreateAsync(service, null)).Http;

        var answer = (await AskAsync(nobody, "jobs:read", null)).Expect(HttpStatusCode.OK);

        Assert.False(answer.Body.GetProperty("allowed").GetBoolean());
        Assert.Contains("project", answer.Body.GetProperty("because").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"permission":"jobs:dance"}""", "/permission")]
    [InlineData("""{"permission":"jobs:read","resource":"moons/1"}""", "/resource")]
    [InlineData("""{"permission":"jobs:read","resource":"jobs"}""", "/resource")]
    public async Task What_there_is_not_is_named(string body, string pointer)
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.PostAsync("/v1/auth/check", body);

        Assert.Equal(
            pointer,
            answer
                .Expect(HttpStatusCode.UnprocessableEntity)
                .Body.GetProperty("errors")[0]
                .GetProperty("pointer")
                .GetString()
        );
    }

    private static Task<Answer> AskAsync(HttpClient http, string permission, string? resource) =>
        http.PostAsync(
            "/v1/auth/check",
            resource is null
                ? $$"""{"permission":"{{permission}}"}"""
                : $$"""{"permission":"{{permission}}","resource":"{{resource}}"}"""
        );
}
