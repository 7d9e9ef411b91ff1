using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http;

public sealed class PipelineTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/metrics")]
    [InlineData("/metrics/")]
    [InlineData("//metrics")]
    [InlineData("/%6detrics")]
    [InlineData("/METRICS")]
    [InlineData("/./metrics")]
    public async Task Metrics_are_not_on_the_API_port_however_they_are_spelled(string path)
    {
        Assert.StartsWith(
            "HTTP/1.1 404",
            await RawAsync(service.Address, $"GET {path} HTTP/1.1\r\nHost: x"),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            "HTTP/1.1 404",
            await RawAsync(service.Address, $"GET {path} HTTP/1.1\r\nHost: localhost:{service.InternalAddress.Port}"),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("/v1/info")]
    [InlineData("/openapi.json")]
    [InlineData("/v1/events")]
    public async Task The_API_is_not_on_the_internal_port(string path)
    {
        using var client = new HttpClient { BaseAddress = service.InternalAddress };
        using var answer = await client.GetAsync(path, Token);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Theory]
    [InlineData("/v1/sources", "a/b~c", "/a~1b~0c")]
    [InlineData("/v1/jobs", "a.b", "/a.b")]
    [InlineData("/v1/webhook-endpoints", "a'b] c[0]", "/a'b] c[0]")]
    [InlineData("/v1/automations", "", "/")]
    public async Task A_member_that_nobody_knows_is_pointed_at_as_it_is_spelled(
        string path,
        string name,
        string pointer
    )
    {
        var project = await service.NewProjectAsync();
        using var answer = await project.Http.PostAsJsonAsync(path, new Dictionary<string, int> { [name] = 1 }, Token);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var fault = (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("errors")[0];
        Assert.Equal("unknown_member", fault.GetProperty("code").GetString());
        Assert.Equal(pointer, fault.GetProperty("pointer").GetString());
    }

    [Theory]
    [InlineData("/v1/events")]
    [InlineData("/v1/events/batch")]
    [InlineData("/v1/jobs")]
    public async Task A_wrong_content_type_is_415_and_names_the_header(string path)
    {
        var project = await service.NewProjectAsync();
        using var answer = await project.Http.PostAsync(path, new StringContent("{}"), Token);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
        var fault = (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("errors")[0];
        Assert.Equal("Content-Type", fault.GetProperty("header").GetString());
        Assert.Contains("application/json", fault.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/nowhere", 404, "not_found")]
    [InlineData("DELETE", "/v1/info", 405, "method_not_allowed")]
    public async Task What_the_framework_refuses_is_a_problem_too(string method, string path, int status, string code)
    {
        using var client = service.NewClient();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var answer = await client.SendAsync(request, Token);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        using var problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Token));
        Assert.Equal(code, problem.RootElement.GetProperty("code").GetString());
        Assert.Equal(
            answer.Headers.GetValues("X-Request-Id").Single(),
            problem.RootElement.GetProperty("request_id").GetString()
        );
    }

    [Theory]
    [InlineData("/v1/info")]
    [InlineData("/nowhere")]
    [InlineData("/v1/events")]
    public async Task Every_answer_is_guarded_and_names_no_server(string path)
    {
        using var client = service.NewClient();
        using var answer = await client.GetAsync(path, Token);

        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.True(answer.Headers.CacheControl?.NoStore);
        Assert.Contains(
            "frame-ancestors 'none'",
            answer.Headers.GetValues("Content-Security-Policy").Single(),
            StringComparison.Ordinal
        );
        Assert.Empty(answer.Headers.Server);
    }

    [Theory]
    [InlineData("abc-123_X", true)]
    [InlineData("a b", false)]
    [InlineData("<script>", false)]
    public async Task A_sound_request_id_comes_back_and_any_other_is_replaced(string id, bool isKept)
    {
        using var client = service.NewClient();
        client.DefaultRequestHeaders.TryAddWithoutValidation("X-Request-Id", id);
        using var answer = await client.GetAsync("/v1/info", Token);

        Assert.Equal(isKept, answer.Headers.GetValues("X-Request-Id").Single() == id);
    }

    [Fact]
    public async Task The_docs_come_from_here_alone()
    {
        using var client = service.NewClient();
        using var answer = await client.GetAsync("/docs/", Token);
        var page = await answer.Content.ReadAsStringAsync(Token);
        using var script = await client.GetAsync("/docs/scalar.js", Token);

        Assert.DoesNotContain("://", page, StringComparison.Ordinal);
        Assert.Contains("scalar.js", page, StringComparison.Ordinal);
        Assert.True(script.IsSuccessStatusCode);
        Assert.Contains(
            "script-src 'self'",
            answer.Headers.GetValues("Content-Security-Policy").Single(),
            StringComparison.Ordinal
        );
    }

    private static Task<string> RawAsync(Uri address, string head) =>
        RawHttp.SendAsync(address, $"{head}\r\nConnection: close\r\n\r\n");
}
