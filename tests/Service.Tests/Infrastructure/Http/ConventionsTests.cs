using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http;

public sealed partial class ConventionsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/v1/info")]
    [InlineData("/v1/events")]
    [InlineData("/v1/events?limit=1&nobody=1")]
    [InlineData("/openapi.json")]
    [InlineData("/docs/")]
    [InlineData("/nowhere")]
    [InlineData("/v1/events/batch")]
    [InlineData("/health/ready")]
    public async Task HEAD_answers_what_GET_answers_without_the_body(string path)
    {
        var project = await service.NewProjectAsync();
        using var get = await project.Http.GetAsync(path, Token);
        using var head = await project.Http.SendAsync(new HttpRequestMessage(HttpMethod.Head, path), Token);

        Assert.Equal(get.StatusCode, head.StatusCode);
        Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
        Assert.Equal(Names(get), Names(head));
        Assert.Empty(await head.Content.ReadAsByteArrayAsync(Token));
    }

    [Theory]
    [InlineData("DELETE", "/v1/info", "GET, HEAD")]
    [InlineData("HEAD", "/v1/events/batch", "POST")]
    [InlineData("OPTIONS", "/v1/events", "GET, HEAD, POST")]
    [InlineData("TRACE", "/v1/info", "GET, HEAD")]
    public async Task Another_method_is_405_and_Allow_names_those_there_are(string method, string path, string allowed)
    {
        using var client = service.NewClient();
        using var answer = await client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path), Token);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
        Assert.Equal(allowed.Split(", "), answer.Content.Headers.Allow.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("*/*", true)]
    [InlineData("application/*", true)]
    [InlineData("application/json; charset=utf-8", true)]
    [InlineData("text/html, application/json;q=0.1", true)]
    [InlineData("text/html, image/gif, *; q=.2, */*; q=.2", true)]
    [InlineData("application/json;q=0, */*", false)]
    [InlineData("application/*;q=0, application/json", true)]
    [InlineData("application/json;q=0", false)]
    [InlineData("*/*;q=0", false)]
    [InlineData("text/html", false)]
    [InlineData("application/problem+json", false)]
    [InlineData("nonsense", false)]
    public async Task An_Accept_that_allows_no_JSON_is_406(string accept, bool isFine)
    {
        var project = await service.NewProjectAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/jobs")
        {
            Content = JsonContent.Create(new { kind = "noop" }),
        };
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var answer = await project.Http.SendAsync(request, Token);

        Assert.Equal(isFine ? HttpStatusCode.Created : HttpStatusCode.NotAcceptable, answer.StatusCode);
        if (!isFine)
        {
            var fault = await FaultAsync(answer);
            Assert.Equal("Accept", fault.GetProperty("header").GetString());
            Assert.Contains("application/json", fault.GetProperty("message").GetString(), StringComparison.Ordinal);
            var jobs = await project.Http.GetFromJsonAsync<JsonElement>("/v1/jobs", Token);
            Assert.Equal(0, jobs.GetProperty("items").GetArrayLength());
        }
    }

    [Theory]
    [InlineData("POST", "/v1/jobs", "Accept-Post", "application/json")]
    [InlineData("POST", "/v1/events/batch", "Accept-Post", "application/json, application/cloudevents-batch+json")]
    [InlineData("POST", "/v1/events", "Accept-Post", "application/json, application/cloudevents+json, */*")]
    [InlineData("PUT", "/v1/automations/x", "Accept", "application/json")]
    public async Task A_415_tells_what_the_route_reads(string method, string path, string header, string types)
    {
        var project = await service.NewProjectAsync();
        using var request = new HttpRequestMessage(new HttpMethod(method), path)
        {
            Content = new StringContent("x", new MediaTypeHeaderValue("text/csv")),
        };
        using var answer = await project.Http.SendAsync(request, Token);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
        Assert.Equal(types, string.Join(", ", answer.Headers.GetValues(header)));
    }

    [Theory]
    [InlineData("POST", "/v1/jobs", "application/json-patch+json", true)]
    [InlineData("POST", "/v1/jobs", "application/merge-patch+json", true)]
    [InlineData("PATCH", "/v1/sources/x", "application/json-patch+json", true)]
    [InlineData("PATCH", "/v1/sources/x", "application/merge-patch+json", false)]
    [InlineData("PATCH", "/v1/sources/x", "Application/JSON", false)]
    public async Task A_type_that_only_ends_in_json_is_another_type(string method, string path, string type, bool is415)
    {
        var project = await service.NewProjectAsync();
        using var request = new HttpRequestMessage(new HttpMethod(method), path)
        {
            Content = new StringContent("{}", new MediaTypeHeaderValue(type)),
        };
        using var answer = await project.Http.SendAsync(request, Token);

        Assert.Equal(is415, answer.StatusCode == HttpStatusCode.UnsupportedMediaType);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("")]
    [InlineData("yes")]
    public async Task A_flag_that_is_neither_true_nor_false_is_400_and_named(string value)
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.PostAsync($"/v1/jobs/bulk?atomic={value}", """{"jobs":[{"kind":"noop"}]}""");

        Assert.Equal((400, "invalid_parameter"), ((int)answer.Status, answer.Code));
        Assert.Equal("atomic", answer.Body.GetProperty("errors")[0].GetProperty("parameter").GetString());
    }

    [Fact]
    public async Task A_query_parameter_that_nobody_declared_is_400_on_every_route()
    {
        var project = await service.NewProjectAsync();
        var routes = service
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.OfType<RouteEndpoint>()
            .Where(route => route.RoutePattern.RawText is not ("/in/{token}" or "/metrics" or "/v1/auth/oidc/callback"))
            .Select(route =>
                (
                    Method: route.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0],
                    Path: Placeholder().Replace(route.RoutePattern.RawText!, $"{Guid.NewGuid()}")
                )
            )
            .ToArray();

        Assert.True(routes.Length > 25, $"{routes.Length} routes");
        foreach (var (method, path) in routes)
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), $"{path}?nobody=1");
            request.Content = method is "POST" or "PUT" or "PATCH" ? JsonContent.Create(new { }) : null;
            using var answer = await project.Http.SendAsync(request, Token);

            Assert.True(answer.StatusCode == HttpStatusCode.BadRequest, $"{method} {path}: {answer.StatusCode}");
            var fault = await FaultAsync(answer);
            Assert.Equal("unknown_parameter", fault.GetProperty("code").GetString());
            Assert.Equal("nobody", fault.GetProperty("parameter").GetString());
        }
    }

    [Theory]
    [InlineData("/v1/jobs?limit=1&limit=2", "limit", "repeated")]
    [InlineData("/v1/jobs?limit=1&LIMIT=2", "LIMIT", "unknown_parameter")]
    [InlineData("/v1/jobs?Limit=1", "Limit", "unknown_parameter")]
    [InlineData("/v1/jobs?state=%00", "state", "invalid_encoding")]
    [InlineData("/v1/jobs?state=%ff", "state", "invalid_encoding")]
    [InlineData("/v1/jobs?state=%ed%a0%80", "state", "invalid_encoding")]
    [InlineData("/v1/jobs?state=%c0%80", "state", "invalid_encoding")]
    [InlineData("/v1/jobs?state=%zz", "state", "invalid_encoding")]
    [InlineData("/v1/jobs?state=%2", "state", "invalid_encoding")]
    [InlineData("/v1/jobs?%00=1", "%00", "invalid_encoding")]
    [InlineData("/v1/automations/%ff", "path", "invalid_encoding")]
    [InlineData("/v1/automations/a%zz", "path", "invalid_encoding")]
    [InlineData("/nowhere/%fe", "path", "invalid_encoding")]
    public async Task A_request_line_that_is_not_text_or_says_a_thing_twice_is_400_and_named(
        string target,
        string parameter,
        string code
    )
    {
        var project = await service.NewProjectAsync();
        var answer = await RawHttp.SendAsync(
            service.Address,
            $"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {project.Key}\r\nConnection: close\r\n\r\n"
        );

        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
        Assert.Contains($"\"parameter\":\"{parameter}\"", answer, StringComparison.Ordinal);
        Assert.Contains($"\"code\":\"{code}\"", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("User-Agent: Z\xfcrich")]
    [InlineData("ce-subject: \xff")]
    [InlineData("Authorization: Bearer \xe9")]
    [InlineData("X-Request-Id: \xc3\x28")]
    public async Task A_header_that_is_not_UTF_8_is_400_and_named(string header)
    {
        var answer = await RawHttp.SendAsync(
            service.Address,
            $"GET /v1/info HTTP/1.1\r\nHost: x\r\n{header}\r\nConnection: close\r\n\r\n"
        );

        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
        Assert.Contains($"\"header\":\"{header.Split(':')[0]}\"", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_header_in_UTF_8_is_read()
    {
        var answer = await RawHttp.SendAsync(
            service.Address,
            "GET /v1/info HTTP/1.1\r\nHost: x\r\nUser-Agent: Z\xc3\xbcrich\r\nConnection: close\r\n\r\n"
        );

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/v1/info")]
    [InlineData("GET", "/nowhere")]
    [InlineData("GET", "/v1/events")]
    [InlineData("DELETE", "/v1/info")]
    [InlineData("GET", "/v1/info?nobody=1")]
    [InlineData("GET", "/docs/")]
    [InlineData("GET", "/%ff")]
    public async Task Every_answer_carries_the_guarding_headers(string method, string path)
    {
        var answer = await RawHttp.SendAsync(
            service.Address,
            $"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );

        Assert.Contains("X-Content-Type-Options: nosniff\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("Referrer-Policy: no-referrer\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("frame-ancestors 'none'", answer, StringComparison.Ordinal);
        Assert.Contains("X-Request-Id: ", answer, StringComparison.Ordinal);
        Assert.Matches("Cache-Control: (no-store|public, max-age=300)\r\n", answer);
        Assert.DoesNotContain("Server:", answer, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("X-Powered-By:", answer, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task What_everybody_may_read_may_be_kept_for_five_minutes()
    {
        using var client = service.NewClient();
        using var answer = await client.GetAsync("/openapi.json", Token);

        Assert.Equal("public, max-age=300", answer.Headers.CacheControl?.ToString());
    }

    private static async Task<JsonElement> FaultAsync(HttpResponseMessage answer) =>
        (await answer.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("errors")[0];

    // but for the length, which is only known by writing the body
    private static IEnumerable<string> Names(HttpResponseMessage answer) =>
        answer
            .Headers.Concat(answer.Content.Headers)
            .Select(header => header.Key)
            .Except(["Transfer-Encoding", "Content-Length"])
            .Order(StringComparer.Ordinal);

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Placeholder();
}
