using System.Net;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Audit;

public sealed class ListAuditEntriesTests(ServiceFixture service)
{
    [Theory]
    [InlineData("", "secrets.delete secrets.create secrets.create api-keys.create projects.create")]
    [InlineData("?sort=at", "projects.create api-keys.create secrets.create secrets.create secrets.delete")]
    [InlineData("?action=secrets.create", "secrets.create secrets.create")]
    [InlineData("?target=secrets/s1", "secrets.delete secrets.create")]
    [InlineData("?target=secrets/s1&action=secrets.create", "secrets.create")]
    [InlineData("?target=secrets/s1&actor=nobody", "")]
    [InlineData("?actor=test", "api-keys.create projects.create")]
    [InlineData("?actor=test&sort=at", "projects.create api-keys.create")]
    [InlineData("?actor=test&action=projects.create", "projects.create")]
    [InlineData("?at[lt]=2026-01-01T00:00:00Z", "")]
    public async Task Entries_are_the_newest_first_and_narrowed_by_who_what_and_when(string query, string actions)
    {
        var project = (await AuditedProject.CreateAsync(service, secrets: 2)).Project;
        (await project.Http.CallAsync("DELETE", "/v1/secrets/s1")).Expect(HttpStatusCode.NoContent);

        Assert.Equal(actions, string.Join(' ', await ActionsAsync(project.Http, $"/v1/audit{query}")));
    }

    [Fact]
    public async Task Pages_follow_each_other()
    {
        var project = (await AuditedProject.CreateAsync(service)).Project;
        var (seen, path) = (new List<Guid>(), "/v1/audit?limit=2");
        for (string? cursor = ""; cursor is not null; )
        {
            var page = await project.Http.CallAsync("GET", cursor.Length == 0 ? path : $"{path}&cursor={cursor}");
            seen.AddRange(Items(page).Select(entry => entry.GetProperty("id").GetGuid()));
            cursor = page.Body.GetProperty("next_cursor").GetString();
        }

        Assert.Equal((5, 5), (seen.Count, seen.Distinct().Count()));
    }

    [Fact]
    public async Task Developers_may_not_read_it_and_admins_may()
    {
        var project = await service.NewProjectAsync("developer");
        Assert.Equal(HttpStatusCode.Forbidden, (await project.Http.CallAsync("GET", "/v1/audit")).Status);

        await project.UseKeyAsync("admin");
        Assert.Equal(HttpStatusCode.OK, (await project.Http.CallAsync("GET", "/v1/audit")).Status);

        await project.UseKeyAsync("owner", Permissions.AuditRead);
        Assert.Equal(HttpStatusCode.OK, (await project.Http.CallAsync("GET", "/v1/audit")).Status);
    }

    [Fact]
    public async Task The_command_line_lists_a_project()
    {
        var project = await service.NewProjectAsync();

        var run = await CliProcess.RunAsync(
            CliProcess.On(service),
            "audit",
            "list",
            "--project",
            project.Name,
            "--action",
            "projects.create"
        );

        var columns = run.Output.Split('\t');
        Assert.Equal((0, 6), (run.ExitCode, columns.Length));
        Assert.Equal(["test", "projects.create", $"projects/{project.Name}", "-"], columns[1..5]);
    }

    private static async Task<IEnumerable<string?>> ActionsAsync(HttpClient http, string path) =>
        Items((await http.CallAsync("GET", path)).Expect(HttpStatusCode.OK))
            .Select(entry => entry.GetProperty("action").GetString());

    private static JsonElement.ArrayEnumerator Items(Answer page) => page.Body.GetProperty("items").EnumerateArray();
}
