using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class CreateWebhookEndpointTests(ServiceFixture service)
{
    private const string Url = "http://127.0.0.1:9/hook";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_endpoint_is_made_and_shows_its_secret_once()
    {
        var project = await service.NewProjectAsync();

        using var answer = await PostAsync(
            project,
            new
            {
                name = "shop",
                url = Url,
                event_types = new[] { "order.*" },
            }
        );

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        var made = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal($"/v1/webhook-endpoints/{made.Id()}", answer.Headers.Location?.ToString());
        var secret = made.GetProperty("secret").GetString()!;
        Assert.Equal(32, Convert.FromBase64String(secret["whsec_".Length..]).Length);
        var shown = await project.Http.GetStringAsync($"/v1/webhook-endpoints/{made.Id()}", Token);
        Assert.DoesNotContain("whsec_", shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_secret_does_not_stand_in_the_database()
    {
        var project = await service.NewProjectAsync();
        var made = await TestWebhooks.CreateAsync(project, Url);

        await using var connection = await project.Database.OpenConnectionAsync(Token);
        var row = await connection.QuerySingleAsync<string>(
            "SELECT webhook_endpoints::text FROM webhook_endpoints WHERE project_id = @Id".With(
                new { project.Id },
                Token
            )
        );

        Assert.DoesNotContain(
            made.GetProperty("secret").GetString()!["whsec_".Length..],
            row,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_secret_of_ones_own_is_kept()
    {
        var project = await service.NewProjectAsync();
        var secret = "whsec_" + Convert.ToBase64String(new byte[24]);

        using var answer = await PostAsync(
            project,
            new
            {
                name = "shop",
                url = Url,
                event_types = new[] { "*" },
                secret,
            }
        );

        var made = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal(secret, made.GetProperty("secret").GetString());
    }

    [Fact]
    public async Task A_name_is_taken_once_in_a_project()
    {
        var project = await service.NewProjectAsync();
        await TestWebhooks.CreateAsync(project, Url);
        await TestWebhooks.CreateAsync(await service.NewProjectAsync(), Url);

        using var answer = await PostAsync(
            project,
            new
            {
                name = "shop",
                url = Url,
                event_types = new[] { "*" },
            }
        );

        Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode);
        Assert.Equal("name_taken", (await ReadAsync(answer)).GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("http://10.0.0.1/hook", "address_not_allowed")]
    [InlineData("http://169.254.169.254/latest", "address_not_allowed")]
    [InlineData("ftp://127.0.0.1/hook", "url_scheme_not_allowed")]
    [InlineData("http://user:secret@127.0.0.1/hook", "url_userinfo")]
    [InlineData("hook", "url_invalid")]
    [InlineData(null, "required")]
    public async Task A_url_that_webhooks_may_not_go_to_is_422(string? url, string code)
    {
        var project = await service.NewProjectAsync();

        using var answer = await PostAsync(
            project,
            new
            {
                name = "shop",
                url,
                event_types = new[] { "*" },
            }
        );

        await AssertInvalidAsync(answer, "/url", code);
    }

    [Fact]
    public async Task What_is_no_event_type_is_named()
    {
        var project = await service.NewProjectAsync();

        using var answer = await PostAsync(
            project,
            new
            {
                name = "shop",
                url = Url,
                event_types = new[] { "order.paid", "order.*.x" },
            }
        );

        await AssertInvalidAsync(answer, "/event_types/1", "invalid_event_type");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(101)]
    public async Task There_are_1_to_100_event_types(int count)
    {
        var project = await service.NewProjectAsync();
        var types = Enumerable.Range(0, count).Select(number => $"order.t{number}").ToArray();

        using var answer = await PostAsync(
            project,
            new
            {
                name = "shop",
                url = Url,
                event_types = types,
            }
        );

        await AssertInvalidAsync(answer, "/event_types", "out_of_range");
    }

    [Theory]
    [InlineData("""{"concurrency":0}""", "/concurrency")]
    [InlineData("""{"secret":"whsec_AAAA"}""", "/secret")]
    [InlineData("""{"retry":{"max_attempts":0}}""", "/retry/max_attempts")]
    [InlineData("""{"name":"Not A Slug"}""", "/name")]
    public async Task A_member_that_is_wrong_is_named(string change, string pointer)
    {
        var project = await service.NewProjectAsync();
        var body = new Dictionary<string, object>
        {
            ["name"] = "shop",
            ["url"] = Url,
            ["event_types"] = new[] { "*" },
        };
        foreach (var member in JsonElement.Parse(change).EnumerateObject())
        {
            body[member.Name] = member.Value;
        }

        using var answer = await PostAsync(project, body);

        await AssertInvalidAsync(answer, pointer, null);
    }

    [Fact]
    public async Task A_viewer_may_not_make_one()
    {
        var project = await service.NewProjectAsync("viewer");

        using var answer = await PostAsync(
            project,
            new
            {
                name = "shop",
                url = Url,
                event_types = new[] { "*" },
            }
        );

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    [Fact]
    public async Task Events_are_matched_against_it_as_soon_as_it_was_answered()
    {
        var project = await service.NewProjectAsync();
        await TestWebhooks.PublishAsync(project); // so that the rules without it are in memory

        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.PublishAsync(project);

        await TestWebhooks.BecomeAsync(project, "succeeded");
    }

    private static Task<HttpResponseMessage> PostAsync(TestProject project, object body) =>
        project.Http.PostAsJsonAsync("/v1/webhook-endpoints", body, Token);

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage answer) =>
        await answer.Content.ReadFromJsonAsync<JsonElement>(Token);

    private static async Task AssertInvalidAsync(HttpResponseMessage answer, string pointer, string? code)
    {
        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        var error = (await ReadAsync(answer)).GetProperty("errors")[0];
        Assert.Equal(pointer, error.GetProperty("pointer").GetString());
        Assert.Equal(code ?? error.GetProperty("code").GetString(), error.GetProperty("code").GetString());
    }
}
