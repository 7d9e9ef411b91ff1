using System.Net;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class ListQueuesTests(ServiceFixture service)
{
    [Fact]
    public async Task The_newest_is_first_and_those_that_every_project_has_are_there()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"first"}""");
        await project.Http.PostAsync("/v1/queues", """{"name":"second"}""");

        var names = Names(await project.Http.CallAsync("GET", "/v1/queues"));
        var page = await project.Http.CallAsync("GET", "/v1/queues?limit=2");
        var next = page.Body.GetProperty("next_cursor").GetString();
        var rest = Names(await project.Http.CallAsync("GET", $"/v1/queues?limit=200&cursor={next}"));

        Assert.Equal(["second", "first"], names.Take(2));
        Assert.Equal(["automations", "default", "webhooks"], names.Skip(2).Order(StringComparer.Ordinal));
        Assert.Equal(names, Names(page).Concat(rest));
    }

    [Fact]
    public async Task Who_is_narrowed_to_some_queues_sees_changes_and_makes_no_others()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/queues", """{"name":"ours"}""");
        await project.Http.PostAsync("/v1/queues", """{"name":"theirs"}""");
        var access = new Access { Queues = ["ours", "new"] };
        var narrowed = (await TestUser.CreateAsync(service, project.Id, "developer", access)).Http;

        Assert.Equal(["ours"], Names(await narrowed.CallAsync("GET", "/v1/queues")));
        (await narrowed.ChangeAsync("PATCH", "/v1/queues/ours", """{"weight":20}""", "*")).Expect(HttpStatusCode.OK);
        (await narrowed.PostAsync("/v1/queues", """{"name":"new"}""")).Expect(HttpStatusCode.Created);
        foreach (
            var (method, path, body) in new[]
            {
                ("GET", "/v1/queues/theirs", null),
                ("GET", "/v1/queues/theirs/stats", null),
                ("PATCH", "/v1/queues/theirs", """{"weight":20}"""),
                ("DELETE", "/v1/queues/theirs", null),
                ("POST", "/v1/queues/theirs/pause", null),
                ("POST", "/v1/queues/default/resume", null),
            }
        )
        {
            (await narrowed.ChangeAsync(method, path, body, "*")).Expect(HttpStatusCode.NotFound);
        }

        var put = await narrowed.ChangeAsync("PUT", "/v1/queues/theirs", "{}", "*");
        var other = await narrowed.PostAsync("/v1/queues", """{"name":"other"}""");
        Assert.Equal("name_taken", put.Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal(
            "/name",
            other.Expect(HttpStatusCode.Forbidden).Body.GetProperty("errors")[0].GetProperty("pointer").GetString()
        );
    }

    private static string[] Names(Answer answer) =>
        [
            .. answer
                .Expect(HttpStatusCode.OK)
                .Body.GetProperty("items")
                .EnumerateArray()
                .Select(item => item.GetProperty("name").GetString()!),
        ];
}
