using System.Net;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Auth;

/// <summary>Who is narrowed to some queues, tags or to what he made sees nothing else, and makes and changes nothing else.</summary>
public sealed class ReachTests(ServiceFixture service)
{
    /// <summary>Each kind of configuration, with a document whose § is its name and ¤ its tags.</summary>
    public static TheoryData<string, string> Kinds =>
        new()
        {
            {
                "automations",
                """{"name":"§","tags":¤,"on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{"x":1}}]}"""
            },
            { "connections", """{"name":"§","tags":¤,"kind":"http","config":{"base_url":"https://127.0.0.1:9"}}""" },
            { "sources", """{"name":"§","tags":¤,"scheme":"github","secret":"kept-for-the-tests"}""" },
            { "webhook-endpoints", """{"name":"§","tags":¤,"url":"https://127.0.0.1:9/","event_types":["a"]}""" },
        };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_has_none_of_the_tags_is_not_there(string kind, string document)
    {
        var project = await service.NewProjectAsync();
        await MakeAsync(project.Http, kind, document, "ours", """["billing","x"]""");
        await MakeAsync(project.Http, kind, document, "theirs", """["other"]""");
        await MakeAsync(project.Http, kind, document, "bare", "[]");
        var narrowed = await NarrowedAsync(project, new Access { Tags = ["billing"] });

        var listed = (await narrowed.CallAsync("GET", $"/v1/{kind}")).Expect(HttpStatusCode.OK).Body;

        Assert.Equal(["ours"], Names(listed));
        (await narrowed.CallAsync("GET", $"/v1/{kind}/ours")).Expect(HttpStatusCode.OK);
        foreach (var name in (string[])["theirs", "bare"])
        {
            var patch = ("If-Match", "*");
            (await narrowed.CallAsync("GET", $"/v1/{kind}/{name}")).Expect(HttpStatusCode.NotFound);
            (
                await narrowed.CallAsync("PATCH", $"/v1/{kind}/{name}", """{"tags":["billing"]}""", headers: patch)
            ).Expect(HttpStatusCode.NotFound);
            (await narrowed.CallAsync("DELETE", $"/v1/{kind}/{name}", headers: patch)).Expect(HttpStatusCode.NotFound);
            var put = await narrowed.CallAsync(
                "PUT",
                $"/v1/{kind}/{name}",
                Fill(document, name, """["billing"]"""),
                headers: patch
            );
            Assert.Equal("name_taken", put.Expect(HttpStatusCode.Conflict).Code);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Nothing_is_made_out_of_reach_or_put_there(string kind, string document)
    {
        var project = await service.NewProjectAsync();
        var narrowed = await NarrowedAsync(project, new Access { Tags = ["billing", "sales"] });

        var refused = await narrowed.PostAsync($"/v1/{kind}", Fill(document, "a", """["other"]"""));
        await MakeAsync(narrowed, kind, document, "b", """["sales"]""");
        var moved = await narrowed.CallAsync("PATCH", $"/v1/{kind}/b", """{"tags":[]}""", headers: ("If-Match", "*"));
        var kept = await narrowed.CallAsync(
            "PATCH",
            $"/v1/{kind}/b",
            """{"tags":["billing"]}""",
            headers: ("If-Match", "*")
        );

        Assert.Equal(
            "/tags",
            refused.Expect(HttpStatusCode.Forbidden).Body.GetProperty("errors")[0].GetProperty("pointer").GetString()
        );
        Assert.Contains("billing or sales", refused.Text, StringComparison.Ordinal);
        moved.Expect(HttpStatusCode.Forbidden);
        kept.Expect(HttpStatusCode.OK);
        (await narrowed.CallAsync("DELETE", $"/v1/{kind}/b", headers: ("If-Match", "*"))).Expect(
            HttpStatusCode.NoContent
        );
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Who_is_narrowed_to_his_own_sees_what_he_made(string kind, string document)
    {
        var project = await service.NewProjectAsync();
        await MakeAsync(project.Http, kind, document, "theirs", "[]");
        var narrowed = await NarrowedAsync(project, new Access { Owner = Reach.Self });
        await MakeAsync(narrowed, kind, document, "mine", "[]");

        var listed = (await narrowed.CallAsync("GET", $"/v1/{kind}")).Expect(HttpStatusCode.OK).Body;

        Assert.Equal(["mine"], Names(listed));
        (await narrowed.CallAsync("GET", $"/v1/{kind}/theirs")).Expect(HttpStatusCode.NotFound);
        // whoever changes it, it stays its maker's
        (
            await project.Http.CallAsync("PATCH", $"/v1/{kind}/mine", """{"tags":["x"]}""", headers: ("If-Match", "*"))
        ).Expect(HttpStatusCode.OK);
        (await narrowed.CallAsync("GET", $"/v1/{kind}/mine")).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Runs_deliveries_and_refused_requests_follow_what_they_come_of()
    {
        var project = await service.NewProjectAsync();
        foreach (var (name, tags) in new[] { ("ours", """["billing"]"""), ("theirs", """["other"]""") })
        {
            foreach (var kind in Kinds.Select(row => row.Data))
            {
                await MakeAsync(project.Http, kind.Item1, kind.Item2, name, tags);
            }
        }

        var sent = (await project.Http.PostAsync("/v1/events", """{"type":"a","source":"tests"}""")).Expect(
            HttpStatusCode.Accepted
        );
        await Eventually.BeTrueAsync(
            async () =>
                (await project.Http.CallAsync("GET", "/v1/runs?state=succeeded"))
                    .Body.GetProperty("items")
                    .GetArrayLength() == 2,
            "both automations ran"
        );
        var narrowed = await NarrowedAsync(project, new Access { Tags = ["billing"] });
        var all = await IdsAsync(project.Http, "/v1/runs");
        var deliveries = await IdsAsync(project.Http, "/v1/deliveries");
        var runs = (await narrowed.CallAsync("GET", "/v1/runs")).Expect(HttpStatusCode.OK).Body.GetProperty("items");
        var reached = await IdsAsync(narrowed, "/v1/deliveries");
        var told = (await narrowed.CallAsync("GET", $"/v1/events/{sent.Id}/timeline")).Expect(HttpStatusCode.OK).Text;

        Assert.Equal("ours", Assert.Single(runs.EnumerateArray()).GetProperty("automation").GetString());
        Assert.Single(reached);
        foreach (var (path, id) in all.Select(id => ("runs", id)).Concat(deliveries.Select(id => ("deliveries", id))))
        {
            var isOurs = reached.Contains(id) || runs[0].GetProperty("id").GetString() == id;
            (await narrowed.CallAsync("GET", $"/v1/{path}/{id}")).Expect(
                isOurs ? HttpStatusCode.OK : HttpStatusCode.NotFound
            );
            Assert.Equal(isOurs, told.Contains(id, StringComparison.Ordinal));
        }

        (await narrowed.CallAsync("GET", "/v1/sources/ours/rejections")).Expect(HttpStatusCode.OK);
        (await narrowed.CallAsync("GET", "/v1/sources/theirs/rejections")).Expect(HttpStatusCode.NotFound);
        (await narrowed.CallAsync("POST", "/v1/connections/theirs/check")).Expect(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Jobs_of_other_queues_are_neither_made_nor_seen()
    {
        var project = await service.NewProjectAsync();
        var other = (
            await project.Http.PostAsync("/v1/jobs", """{"queue":"automations","kind":"noop","args":{}}""")
        ).Expect(HttpStatusCode.Created);
        var narrowed = await NarrowedAsync(project, new Access { Queues = ["default"] });
        var ours = (await narrowed.PostAsync("/v1/jobs", """{"queue":"default","kind":"noop","args":{}}""")).Expect(
            HttpStatusCode.Created
        );

        var refused = await narrowed.PostAsync("/v1/jobs", """{"queue":"automations","kind":"noop","args":{}}""");
        var bulk = await narrowed.PostAsync(
            "/v1/jobs/bulk",
            """{"jobs":[{"queue":"default","kind":"noop"},{"queue":"webhooks","kind":"noop"}]}"""
        );

        Assert.Equal(
            "/queue",
            refused.Expect(HttpStatusCode.Forbidden).Body.GetProperty("errors")[0].GetProperty("pointer").GetString()
        );
        Assert.Contains("out_of_reach", bulk.Text, StringComparison.Ordinal);
        Assert.Equal(
            [$"{ours.Id}", bulk.Body.GetProperty("results")[0].GetProperty("id").GetString()!],
            (await IdsAsync(narrowed, "/v1/jobs")).Order()
        );
        (await narrowed.CallAsync("GET", $"/v1/jobs/{ours.Id}")).Expect(HttpStatusCode.OK);
        (await narrowed.CallAsync("GET", $"/v1/jobs/{other.Id}")).Expect(HttpStatusCode.NotFound);
        (await narrowed.CallAsync("GET", $"/v1/jobs/{other.Id}/events")).Expect(HttpStatusCode.NotFound);
    }

    [Theory]
    [InlineData("""{"queue":"webhooks","kind":"noop"}""")]
    [InlineData("""{"queue":"${event.type}","kind":"noop"}""")]
    public async Task Nobody_has_an_automation_put_jobs_where_he_may_not(string with)
    {
        var project = await service.NewProjectAsync();
        var narrowed = await NarrowedAsync(project, new Access { Queues = ["default"] });
        var automation = """{"name":"n","on":{"type":["a"]},"steps":[{"id":"s","uses":"job","with":§}]}""";

        (await narrowed.PostAsync("/v1/automations", automation.Replace("§", with))).Expect(
            HttpStatusCode.UnprocessableEntity
        );
        (await narrowed.PostAsync("/v1/automations", automation.Replace("§", """{"kind":"noop"}"""))).Expect(
            HttpStatusCode.Created
        );
    }

    [Theory]
    [InlineData("""{"id":"s","uses":"http","with":{"connection":"theirs","method":"GET","path":"/"}}""")]
    [InlineData(
        """{"id":"s","uses":"job","with":{"kind":"http.request","args":{"connection":"theirs","method":"GET","path":"/"}}}"""
    )]
    [InlineData("""{"id":"s","uses":"job","with":{"kind":"${event.type}"}}""")]
    public async Task Nobody_uses_a_connection_that_he_does_not_see(string step)
    {
        var project = await service.NewProjectAsync();
        await MakeAsync(
            project.Http,
            "connections",
            Kinds.Single(row => row.Data.Item1 == "connections").Data.Item2,
            "theirs",
            """["other"]"""
        );
        var narrowed = await NarrowedAsync(project, new Access { Tags = ["billing"] });

        var saved = await narrowed.PostAsync(
            "/v1/automations",
            $$"""{"name":"n","tags":["billing"],"on":{"type":["a"]},"steps":[{{step}}]}"""
        );
        var job = await narrowed.PostAsync(
            "/v1/jobs",
            """{"queue":"default","kind":"http.request","args":{"connection":"theirs","method":"GET","path":"/"}}"""
        );

        saved.Expect(HttpStatusCode.UnprocessableEntity);
        job.Expect(HttpStatusCode.Forbidden);
    }

    private async Task<HttpClient> NarrowedAsync(TestProject project, Access access) =>
        (await TestUser.CreateAsync(service, project.Id, "developer", access)).Http;

    private static async Task MakeAsync(HttpClient http, string kind, string document, string name, string tags) =>
        (await http.PostAsync($"/v1/{kind}", Fill(document, name, tags))).Expect(HttpStatusCode.Created);

    private static string Fill(string document, string name, string tags) =>
        document.Replace("§", name).Replace("¤", tags);

    private static IEnumerable<string?> Names(JsonElement page) =>
        page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("name").GetString());

    private static async Task<string[]> IdsAsync(HttpClient http, string path) =>
        [
            .. (await http.CallAsync("GET", path))
                .Expect(HttpStatusCode.OK)
                .Body.GetProperty("items")
                .EnumerateArray()
                .Select(item => item.GetProperty("id").GetString()!),
        ];
}
