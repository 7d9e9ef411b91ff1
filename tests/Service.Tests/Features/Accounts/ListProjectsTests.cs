using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class ListProjectsTests(ServiceFixture service)
{
    [Fact]
    public async Task A_user_sees_his_own_the_newest_first_page_by_page()
    {
        var first = await service.NewProjectAsync();
        await service.NewProjectAsync(); // somebody else's
        var user = await TestUser.CreateAsync(service, first.Id);
        var names = new List<string> { first.Name };
        for (var i = 0; i < 2; i++)
        {
            names.Add($"p{Guid.NewGuid():N}"[..20]);
            (await user.Http.PostAsync("/v1/projects", $$"""{"name":"{{names[^1]}}"}""")).Expect(
                HttpStatusCode.Created
            );
        }

        var page = (await user.Http.CallAsync("GET", "/v1/projects?limit=2")).Expect(HttpStatusCode.OK).Body;
        var rest = await user.Http.CallAsync(
            "GET",
            $"/v1/projects?limit=2&cursor={page.GetProperty("next_cursor").GetString()}"
        );

        Assert.Equal(
            Enumerable.Reverse(names),
            page.GetProperty("items")
                .EnumerateArray()
                .Concat(rest.Expect(HttpStatusCode.OK).Body.GetProperty("items").EnumerateArray())
                .Select(project => project.GetProperty("name").GetString())
        );
    }

    [Fact]
    public async Task The_command_line_lists_all_and_says_which_are_archived()
    {
        var (one, other) = (await service.NewProjectAsync(), await service.NewProjectAsync());
        var archived = await CliProcess.RunAsync(CliProcess.On(service), "projects", "archive", "--name", other.Name);

        var run = await CliProcess.RunAsync(CliProcess.On(service), "projects", "list");

        Assert.Equal((0, 0), (archived.ExitCode, run.ExitCode));
        Assert.Contains($"{one.Id}\t{one.Name}\tactive", run.Output, StringComparison.Ordinal);
        Assert.Contains($"{other.Id}\t{other.Name}\tarchived", run.Output, StringComparison.Ordinal);
    }
}
