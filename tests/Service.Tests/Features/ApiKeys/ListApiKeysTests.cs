using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.ApiKeys;

public sealed class ListApiKeysTests(ServiceFixture service)
{
    [Fact]
    public async Task The_newest_comes_first_and_the_revoked_stay_until_they_are_left_out()
    {
        var project = await service.NewProjectAsync();
        foreach (var name in (string[])["a", "b"])
        {
            (await project.Http.PostAsync("/v1/api-keys", $$"""{"name":"{{name}}","role":"viewer"}""")).Expect(
                HttpStatusCode.Created
            );
        }

        (await project.Http.PostAsync("/v1/api-keys/b/revoke", "")).Expect(HttpStatusCode.NoContent);

        var listed = (await project.Http.CallAsync("GET", "/v1/api-keys?limit=2")).Expect(HttpStatusCode.OK).Body;

        Assert.Equal(
            [("b", "revoked"), ("a", "active")],
            listed
                .GetProperty("items")
                .EnumerateArray()
                .Select(key => (key.GetProperty("name").GetString(), key.GetProperty("state").GetString()))
        );
        foreach (
            var (query, names) in new[]
            {
                ("revoked=true", "b"),
                ("revoked=false", "a"),
                ("revoked=false&sort=created_at", "a"),
            }
        )
        {
            var narrowed = (await project.Http.CallAsync("GET", $"/v1/api-keys?{query}")).Expect(HttpStatusCode.OK);
            Assert.Equal(
                names,
                string.Concat(
                    narrowed
                        .Body.GetProperty("items")
                        .EnumerateArray()
                        .Select(key => key.GetProperty("name").GetString())
                        .Where(name => name!.Length == 1) // and not the one that asks
                )
            );
        }

        var odd = await project.Http.CallAsync("GET", "/v1/api-keys?revoked=maybe");
        Assert.Equal("invalid_parameter", odd.Expect(HttpStatusCode.BadRequest).Code);
    }

    [Fact]
    public async Task The_command_lists_them()
    {
        var project = await service.NewProjectAsync();
        (await project.Http.PostAsync("/v1/api-keys", """{"name":"listed","role":"viewer"}""")).Expect(
            HttpStatusCode.Created
        );

        var run = await CliProcess.RunAsync(CliProcess.On(service), ["api-keys", "list", "--project", project.Name]);

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.Contains("\tlisted\tviewer\tactive", run.Output, StringComparison.Ordinal);
    }
}
