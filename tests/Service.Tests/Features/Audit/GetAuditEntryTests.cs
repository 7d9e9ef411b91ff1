using System.Net;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Audit;

public sealed class GetAuditEntryTests(ServiceFixture service)
{
    private const string Connection =
        """{"name":"crm","kind":"http","config":{"base_url":"https://crm.example.com","auth":{"type":"bearer"}},"secret":{"value":"hush-hush"}}""";

    [Fact]
    public async Task A_change_shows_what_was_there_before_and_after_it_who_made_it_and_how()
    {
        var project = await service.NewProjectAsync();
        (await project.Http.PostAsync("/v1/connections", Connection)).Expect(HttpStatusCode.Created);

        (
            await project.Http.CallAsync(
                "PATCH",
                "/v1/connections/crm",
                """{"config":{"base_url":"https://other.example.com"}}""",
                headers: [("If-Match", "*"), ("X-Request-Id", "of-the-change")]
            )
        ).Expect(HttpStatusCode.OK);

        var entry = await EntryAsync(project.Http, "connections.update");
        Assert.Equal(
            ("api_key", "127.0.0.1", "of-the-change", "connections/crm"),
            (Text(entry, "method"), Text(entry, "address"), Text(entry, "request_id"), Text(entry, "target"))
        );
        Assert.StartsWith("key:owner-", Text(entry, "actor"), StringComparison.Ordinal);
        Assert.Equal(
            ("https://crm.example.com", "https://other.example.com"),
            (BaseUrl(entry.GetProperty("before")), BaseUrl(entry.GetProperty("after")))
        );
        Assert.Equal(
            JsonValueKind.Null,
            (await EntryAsync(project.Http, "connections.create")).GetProperty("before").ValueKind
        );
    }

    [Fact]
    public async Task A_user_stands_there_by_his_address_and_the_command_line_by_its_user()
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id);

        (await user.Http.CallAsync("PUT", "/v1/secrets/by-user", """{"value":"v"}""")).Expect(HttpStatusCode.Created);
        var run = await CliProcess.RunAsync(
            CliProcess.On(service),
            "api-keys",
            "create",
            "--name",
            "by-cli",
            "--role",
            "viewer",
            "--project",
            project.Name
        );
        Assert.Equal(0, run.ExitCode);

        var byUser = await EntryAsync(project.Http, "secrets.create");
        var byCli = await EntryAsync(project.Http, "api-keys.create");
        Assert.Equal(($"user:{user.Email}", "session"), (Text(byUser, "actor"), Text(byUser, "method")));
        Assert.Equal(user.Id, byUser.GetProperty("actor_id").GetGuid());
        Assert.Equal(
            ($"cli:{Environment.UserName}", "cli", null),
            (Text(byCli, "actor"), Text(byCli, "method"), Text(byCli, "address"))
        );
    }

    [Fact]
    public async Task Behind_a_trusted_proxy_the_address_is_the_one_it_names()
    {
        await using var own = await OwnService.StartAsync(
            service,
            set: settings => settings with { TrustedProxies = [IPNetwork.Parse("127.0.0.0/8")] }
        );
        using var http = new HttpClient { BaseAddress = own.Address };
        http.DefaultRequestHeaders.Authorization = new("Bearer", await own.NewKeyAsync());

        (
            await http.CallAsync(
                "PUT",
                "/v1/secrets/far",
                """{"value":"v"}""",
                headers: [("X-Forwarded-For", "203.0.113.7")]
            )
        ).Expect(HttpStatusCode.Created);

        Assert.Equal("203.0.113.7", Text(await EntryAsync(http, "secrets.create"), "address"));
    }

    [Fact]
    public async Task No_entry_holds_a_secret()
    {
        var project = await service.NewProjectAsync();
        (await project.Http.PostAsync("/v1/connections", Connection)).Expect(HttpStatusCode.Created);
        (
            await project.Http.ChangeAsync(
                "PATCH",
                "/v1/connections/crm",
                """{"secret":{"value":"hush-hush-2"}}""",
                "*"
            )
        ).Expect(HttpStatusCode.OK);
        var source = await project.Http.PostAsync(
            "/v1/sources",
            """{"name":"hub","scheme":"github","secret":"hush-hush-of-the-hub"}"""
        );
        var inbound = source.Expect(HttpStatusCode.Created).Body.GetProperty("inbound_path").GetString()!;
        var endpoint = await project.Http.PostAsync(
            "/v1/webhook-endpoints",
            """{"name":"shop","url":"https://127.0.0.1:9/","event_types":["a"]}"""
        );
        (await project.Http.CallAsync("PUT", "/v1/secrets/key", """{"value":"hush-hush-named"}""")).Expect(
            HttpStatusCode.Created
        );
        (await project.Http.CallAsync("DELETE", "/v1/secrets/key")).Expect(HttpStatusCode.NoContent);

        var audited = new AuditedProject(service, project);
        var entries = await audited.QueryAsync<string>(
            "SELECT row_to_json(e)::text FROM bellhop.audit_entries AS e WHERE project_id = @ProjectId"
        );

        Assert.Equal(8, entries.Length);
        var all = string.Join('\n', entries);
        Assert.DoesNotContain("hush", all, StringComparison.Ordinal);
        Assert.DoesNotContain(inbound["/in/".Length..], all, StringComparison.Ordinal);
        Assert.DoesNotContain(project.Key, all, StringComparison.Ordinal);
        Assert.DoesNotContain("whsec_", all, StringComparison.Ordinal);
        Assert.Contains("whsec_", endpoint.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_change_that_was_refused_leaves_no_entry_and_a_repeated_request_one()
    {
        var project = await service.NewProjectAsync();
        var (key, body) = (
            $"{Guid.NewGuid()}",
            """{"name":"crm","kind":"http","config":{"base_url":"https://a.example.com"}}"""
        );

        (await project.Http.PostAsync("/v1/connections", body, key)).Expect(HttpStatusCode.Created);
        Assert.True((await project.Http.PostAsync("/v1/connections", body, key)).IsReplayed);
        (await project.Http.PostAsync("/v1/connections", body)).Expect(HttpStatusCode.Conflict);
        (await project.Http.ChangeAsync("DELETE", "/v1/connections/crm", ifMatch: "\"other\"")).Expect(
            HttpStatusCode.PreconditionFailed
        );
        (await project.Http.CallAsync("DELETE", "/v1/secrets/none")).Expect(HttpStatusCode.NotFound);

        var actions = (await project.Http.CallAsync("GET", "/v1/audit"))
            .Body.GetProperty("items")
            .EnumerateArray()
            .Select(entry => Text(entry, "action"));
        Assert.Equal(["connections.create", "api-keys.create", "projects.create"], actions);
    }

    [Fact]
    public async Task Another_projects_entry_is_none()
    {
        var (mine, others) = (await service.NewProjectAsync(), await service.NewProjectAsync());
        var entry = await EntryAsync(others.Http, "api-keys.create");

        var answer = await mine.Http.CallAsync("GET", $"/v1/audit/{entry.GetProperty("id").GetGuid()}");

        Assert.Equal(HttpStatusCode.NotFound, answer.Status);
    }

    private static async Task<JsonElement> EntryAsync(HttpClient http, string action)
    {
        var list = (await http.CallAsync("GET", $"/v1/audit?action={action}&limit=1")).Expect(HttpStatusCode.OK);
        var id = list.Body.GetProperty("items")[0].GetProperty("id").GetGuid();
        return (await http.CallAsync("GET", $"/v1/audit/{id}")).Expect(HttpStatusCode.OK).Body;
    }

    private static string? Text(JsonElement entry, string member) => entry.GetProperty(member).GetString();

    private static string? BaseUrl(JsonElement document) =>
        document.GetProperty("config").GetProperty("base_url").GetString();
}
