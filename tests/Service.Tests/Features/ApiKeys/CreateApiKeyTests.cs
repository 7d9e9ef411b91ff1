using System.Net;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.ApiKeys;

public sealed class CreateApiKeyTests(ServiceFixture service)
{
    [Fact]
    public async Task A_key_is_shown_once_works_and_expires_in_a_year()
    {
        var project = await service.NewProjectAsync();

        var made = await project.Http.PostAsync(
            "/v1/api-keys",
            """{"name":"tour","role":"viewer","scopes":["events:read"]}"""
        );
        using var client = service.NewClient(made.Expect(HttpStatusCode.Created).Body.GetProperty("key").GetString());
        var shown = await project.Http.CallAsync("GET", made.Location!);

        (await client.CallAsync("GET", "/v1/events")).Expect(HttpStatusCode.OK);
        (await client.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.Forbidden);
        Assert.InRange((made.Body.GetProperty("expires_at").GetDateTime() - DateTime.UtcNow).TotalDays, 364, 367);
        Assert.False(shown.Expect(HttpStatusCode.OK).Body.TryGetProperty("key", out _));
        Assert.StartsWith("key:", shown.Body.GetProperty("created_by").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_record_tells_when_a_key_ends_also_where_nobody_said_when()
    {
        var project = await service.NewProjectAsync();

        var made = await project.Http.PostAsync("/v1/api-keys", """{"name":"tour","role":"viewer"}""");
        var listed = await project.Http.CallAsync("GET", "/v1/audit?target=api-keys/tour");
        var id = Assert
            .Single(listed.Expect(HttpStatusCode.OK).Body.GetProperty("items").EnumerateArray())
            .GetProperty("id");
        var entry = await project.Http.CallAsync("GET", $"/v1/audit/{id.GetString()}");

        Assert.Equal(
            made.Expect(HttpStatusCode.Created).Body.GetProperty("expires_at").GetDateTime(),
            entry.Expect(HttpStatusCode.OK).Body.GetProperty("after").GetProperty("expires_at").GetDateTime()
        );
    }

    [Fact]
    public async Task A_name_is_given_once_among_keys_that_are_not_revoked()
    {
        var project = await service.NewProjectAsync();
        const string Tour = """{"name":"tour","role":"viewer"}""";
        var first = (await project.Http.PostAsync("/v1/api-keys", Tour)).Expect(HttpStatusCode.Created);

        Assert.Equal(
            "name_taken",
            (await project.Http.PostAsync("/v1/api-keys", Tour)).Expect(HttpStatusCode.Conflict).Code
        );
        (await (await service.NewProjectAsync()).Http.PostAsync("/v1/api-keys", Tour)).Expect(HttpStatusCode.Created);
        (await project.Http.PostAsync($"/v1/api-keys/{first.Id}/revoke", "")).Expect(HttpStatusCode.NoContent);
        (await project.Http.PostAsync("/v1/api-keys", Tour)).Expect(HttpStatusCode.Created);
    }

    [Theory]
    [InlineData("""{"name":"","role":"viewer"}""", "/name")]
    [InlineData("""{"name":"x\n2026-01-01T00:00:00Z\tuser:ada@example.com","role":"viewer"}""", "/name")]
    [InlineData("""{"name":"\u001b[2Kx","role":"viewer"}""", "/name")]
    [InlineData("""{"name":"\u202ex","role":"viewer"}""", "/name")]
    [InlineData("""{"name":"x","role":"king"}""", "/role")]
    [InlineData("""{"name":"x","role":"viewer","scopes":["events:reed"]}""", "/scopes/0")]
    [InlineData("""{"name":"x","role":"viewer","scopes":["jobs:write"]}""", "/scopes/0")]
    [InlineData("""{"name":"x","role":"viewer","expires_at":"2020-01-01T00:00:00Z"}""", "/expires_at")]
    [InlineData("""{"name":"x","role":"viewer","expires_at":"2999-01-01T00:00:00Z"}""", "/expires_at")]
    [InlineData("""{"name":"x","role":"viewer","allow_networks":["10.0.0.1/8"]}""", "/allow_networks/0")]
    [InlineData("""{"name":"x","role":"viewer","allow_networks":["ten"]}""", "/allow_networks/0")]
    [InlineData("""{"name":"x","role":"viewer","tags":["No Slug"]}""", "/tags/0")]
    [InlineData("""{"name":"x","role":"viewer","owner":"me"}""", "/owner")]
    [InlineData(
        """{"name":"x","role":"viewer","hours":{"from":"8","until":"17:00","time_zone":"UTC"}}""",
        "/hours/from"
    )]
    [InlineData(
        """{"name":"x","role":"viewer","hours":{"from":"08:00","until":"17:00","time_zone":"Mars/Base"}}""",
        "/hours/time_zone"
    )]
    [InlineData(
        """{"name":"x","role":"viewer","hours":{"from":"08:00","until":"17:00","time_zone":"UTC","days":["noday"]}}""",
        "/hours/days/0"
    )]
    public async Task What_is_not_valid_is_named(string body, string pointer)
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.PostAsync("/v1/api-keys", body);

        Assert.Equal(
            pointer,
            answer
                .Expect(HttpStatusCode.UnprocessableEntity)
                .Body.GetProperty("errors")[0]
                .GetProperty("pointer")
                .GetString()
        );
    }

    [Theory]
    [InlineData("""{"name":"n","role":"owner"}""")]
    [InlineData("""{"name":"n","role":"admin"}""")]
    [InlineData(
        """{"name":"n","role":"admin","queues":["a"],"tags":["t"],"owner":"self","allow_networks":["127.0.0.0/9"],"scopes":["members:manage","jobs:read"]}"""
    )]
    [InlineData(
        """{"name":"n","role":"viewer","scopes":["jobs:read"],"queues":["a","c"],"tags":["t"],"owner":"self","allow_networks":["127.0.0.0/9"]}"""
    )]
    [InlineData(
        """{"name":"n","role":"viewer","scopes":["jobs:read"],"tags":["t"],"owner":"self","allow_networks":["127.0.0.0/9"]}"""
    )]
    [InlineData(
        """{"name":"n","role":"viewer","scopes":["jobs:read"],"queues":["a"],"tags":["u"],"owner":"self","allow_networks":["127.0.0.0/9"]}"""
    )]
    [InlineData(
        """{"name":"n","role":"viewer","scopes":["jobs:read"],"queues":["a"],"tags":["t"],"allow_networks":["127.0.0.0/9"]}"""
    )]
    [InlineData("""{"name":"n","role":"viewer","scopes":["jobs:read"],"queues":["a"],"tags":["t"],"owner":"self"}""")]
    [InlineData(
        """{"name":"n","role":"viewer","scopes":["jobs:read"],"queues":["a"],"tags":["t"],"owner":"self","allow_networks":["0.0.0.0/0"]}"""
    )]
    [InlineData(
        """{"name":"n","role":"viewer","scopes":["events:read"],"queues":["a"],"tags":["t"],"owner":"self","allow_networks":["127.0.0.0/9"]}"""
    )]
    public async Task Nobody_makes_a_key_that_can_do_more_than_he(string body)
    {
        var project = await service.NewProjectAsync();
        var narrowed = await TestUser.CreateAsync(
            service,
            project.Id,
            "admin",
            new Access
            {
                Scopes = [Permissions.MembersManage, Permissions.JobsRead],
                Queues = ["a", "b"],
                Tags = ["t"],
                Owner = Reach.Self,
                AllowNetworks = ["127.0.0.0/8"],
            }
        );
        const string Fitting =
            """{"name":"ok","role":"viewer","scopes":["jobs:read"],"queues":["a"],"tags":["t"],"owner":"self","allow_networks":["127.0.0.0/9"]}""";

        var refused = await narrowed.Http.PostAsync("/v1/api-keys", body);

        // the third is as narrow as it may be
        refused.Expect(
            body.Contains("members:manage", StringComparison.Ordinal)
                ? HttpStatusCode.Created
                : HttpStatusCode.Forbidden
        );
        (await narrowed.Http.PostAsync("/v1/api-keys", Fitting)).Expect(HttpStatusCode.Created);
    }

    [Theory]
    [InlineData("""{"from":"00:00","until":"00:00","time_zone":"UTC","days":["mon"]}""", HttpStatusCode.Created)]
    [InlineData(
        """{"from":"00:00","until":"00:00","time_zone":"Europe/Berlin","days":["mon"]}""",
        HttpStatusCode.Forbidden
    )]
    [InlineData("null", HttpStatusCode.Forbidden)]
    public async Task Nobody_makes_a_key_for_other_hours_than_his(string hours, HttpStatusCode status)
    {
        var project = await service.NewProjectAsync();
        var always = new Hours("00:00", "00:00", "UTC");
        var narrowed = await TestUser.CreateAsync(service, project.Id, "admin", new Access { Hours = always });

        var made = await narrowed.Http.PostAsync(
            "/v1/api-keys",
            $$"""{"name":"n","role":"viewer","hours":{{hours}}}"""
        );

        made.Expect(status);
    }

    [Theory]
    [InlineData("""["127.0.0.0/8"]""", HttpStatusCode.OK)]
    [InlineData("""["10.0.0.0/8"]""", HttpStatusCode.Forbidden)]
    [InlineData("[]", HttpStatusCode.Forbidden)]
    public async Task A_key_is_taken_from_its_networks_alone(string networks, HttpStatusCode status)
    {
        var project = await service.NewProjectAsync();
        var made = await project.Http.PostAsync(
            "/v1/api-keys",
            $$"""{"name":"n","role":"viewer","allow_networks":{{networks}}}"""
        );
        using var client = service.NewClient(made.Expect(HttpStatusCode.Created).Body.GetProperty("key").GetString());

        (await client.CallAsync("GET", "/v1/jobs")).Expect(status);
    }

    [Fact]
    public async Task The_command_prints_a_key_that_the_service_takes()
    {
        var project = await service.NewProjectAsync();

        var run = await CliProcess.RunAsync(
            CliProcess.On(service),
            ["api-keys", "create", "--name", "cli", "--role", "owner", "--project", project.Name, "--json"]
        );

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        using var made = JsonDocument.Parse(run.Output);
        using var client = service.NewClient(made.RootElement.GetProperty("key").GetString());
        using var answer = await client.GetAsync("/v1/events", TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode);
    }
}
