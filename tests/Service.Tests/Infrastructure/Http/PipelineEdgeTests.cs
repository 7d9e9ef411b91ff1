using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http;

/// <summary>What is configured at the edge: origins, names, proxies; and routes on their way out.</summary>
public sealed class PipelineEdgeTests(EdgeHost host, ServiceFixture service) : IClassFixture<EdgeHost>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_page_of_a_configured_origin_may_ask_and_read_the_headers_it_needs()
    {
        using var client = host.NewClient();
        using var answer = await SendAsync(client, HttpMethod.Get, "/v1/info", ("Origin", EdgeHost.Origin));

        Assert.Equal(EdgeHost.Origin, One(answer, "Access-Control-Allow-Origin"));
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Credentials"));
        var exposed = One(answer, "Access-Control-Expose-Headers").Split(',');
        Assert.Contains("X-Request-Id", exposed);
        Assert.Contains("ETag", exposed);
        Assert.Contains("RateLimit", exposed);
    }

    [Fact]
    public async Task An_error_is_readable_by_the_page_too()
    {
        using var client = host.NewClient();
        using var answer = await SendAsync(client, HttpMethod.Get, "/v1/broken", ("Origin", EdgeHost.Origin));

        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Equal(EdgeHost.Origin, One(answer, "Access-Control-Allow-Origin"));
        Assert.DoesNotContain("canary", await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_preflight_is_answered_for_ten_minutes()
    {
        using var client = host.NewClient();
        using var answer = await PreflightAsync(client, EdgeHost.Origin);

        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.Equal("600", One(answer, "Access-Control-Max-Age"));
        Assert.Contains("PATCH", One(answer, "Access-Control-Allow-Methods"), StringComparison.Ordinal);
        Assert.Contains(
            "idempotency-key",
            One(answer, "Access-Control-Allow-Headers"),
            StringComparison.OrdinalIgnoreCase
        );
    }

    [Theory]
    [InlineData("null")]
    [InlineData("*")]
    [InlineData("https://console.example.com.evil.org")]
    [InlineData("https://evilconsole.example.com")]
    [InlineData("https://console.example.com:8443")]
    [InlineData("https://sub.console.example.com")]
    [InlineData("http://console.example.com")]
    [InlineData("https://console.example.com/")]
    [InlineData("https://console.example.com@evil.org")]
    public async Task No_other_origin_is_let_in(string origin)
    {
        using var client = host.NewClient();
        using var preflight = await PreflightAsync(client, origin);
        using var answer = await SendAsync(client, HttpMethod.Get, "/v1/info", ("Origin", origin));

        Assert.False(preflight.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Theory]
    [InlineData("/v1/info", null)]
    [InlineData("/v1/info", EdgeHost.Origin)]
    [InlineData("/nowhere", "https://other.example.com")]
    [InlineData("/openapi.json", null)]
    public async Task Every_answer_says_once_that_it_varies_with_the_origin(string path, string? origin)
    {
        using var client = host.NewClient();
        using var answer = await SendAsync(client, HttpMethod.Get, path, ("Origin", origin));

        Assert.Equal(["Origin"], answer.Headers.Vary);
    }

    [Fact]
    public async Task Without_configured_origins_no_page_is_let_in_and_nothing_varies()
    {
        using var client = service.NewClient();
        using var preflight = await PreflightAsync(client, EdgeHost.Origin);
        using var answer = await SendAsync(client, HttpMethod.Get, "/v1/info", ("Origin", EdgeHost.Origin));

        Assert.Equal(HttpStatusCode.MethodNotAllowed, preflight.StatusCode);
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Empty(answer.Headers.Vary);
    }

    [Theory]
    [InlineData("evil.example.com", HttpStatusCode.BadRequest)]
    [InlineData("bellhop.example.com.evil.org", HttpStatusCode.BadRequest)]
    [InlineData("BELLHOP.example.com", HttpStatusCode.OK)]
    [InlineData("bellhop.example.com:8443", HttpStatusCode.OK)]
    public async Task The_API_answers_to_its_own_names_only(string name, HttpStatusCode status)
    {
        using var client = host.NewClient();
        using var answer = await SendAsync(client, HttpMethod.Get, "/v1/info", ("Host", name));

        Assert.Equal(status, answer.StatusCode);
        if (status == HttpStatusCode.BadRequest)
        {
            var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
            Assert.Equal("Host", problem.GetProperty("errors")[0].GetProperty("header").GetString());
        }
    }

    [Fact]
    public async Task Probes_are_answered_under_any_name()
    {
        using var client = host.NewClient();
        using var answer = await SendAsync(client, HttpMethod.Get, "/health/live", ("Host", "10.0.0.7"));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("X-Forwarded-For", "203.0.113.9")]
    [InlineData("Forwarded", "for=203.0.113.9;proto=https;host=evil.org")]
    [InlineData("X-Real-IP", "203.0.113.9")]
    [InlineData("X-Forwarded-Proto", "https")]
    [InlineData("X-Forwarded-Host", "evil.org")]
    [InlineData("X-Forwarded-Prefix", "/evil")]
    [InlineData("X-Original-URL", "/v1/events")]
    [InlineData("X-Rewrite-URL", "/v1/events")]
    [InlineData("X-HTTP-Method-Override", "DELETE")]
    public async Task What_a_stranger_says_about_the_way_changes_nothing(string header, string value)
    {
        var from = EdgeHost.NewAddress();
        using var client = host.NewClient(from: from);
        using var answer = await SendAsync(client, HttpMethod.Get, "/v1/address", (header, value));
        var seen = await answer.Content.ReadFromJsonAsync<EdgeHost.Seen>(Token);

        Assert.Equal(new EdgeHost.Seen($"{from}", "http"), seen);
    }

    [Fact]
    public async Task What_a_trusted_proxy_says_about_the_client_counts()
    {
        using var client = host.NewClient(from: EdgeHost.Proxy);
        using var answer = await SendAsync(
            client,
            HttpMethod.Get,
            "/v1/address",
            ("X-Forwarded-For", "198.51.100.7, 203.0.113.9"),
            ("X-Forwarded-Proto", "https")
        );
        var seen = await answer.Content.ReadFromJsonAsync<EdgeHost.Seen>(Token);

        // the last one is whom the proxy saw; what stood before it is the client's own claim
        Assert.Equal(new EdgeHost.Seen("203.0.113.9", "https"), seen);
    }

    [Theory]
    [InlineData("/v1/old", HttpStatusCode.OK)]
    [InlineData("/v1/old?nobody=1", HttpStatusCode.BadRequest)]
    [InlineData("/v1/broken", HttpStatusCode.InternalServerError)]
    public async Task Every_answer_of_a_route_on_its_way_out_says_so(string path, HttpStatusCode status)
    {
        using var client = host.NewClient();
        using var answer = await client.GetAsync(path, Token);

        Assert.Equal(status, answer.StatusCode);
        Assert.Equal("@1769817600", One(answer, "Deprecation"));
        if (path.StartsWith("/v1/old", StringComparison.Ordinal))
        {
            Assert.Equal("Sun, 31 Jan 2027 12:00:00 GMT", One(answer, "Sunset"));
            Assert.Equal(
                "<https://example.com/what-instead>; rel=\"deprecation\"; type=\"text/html\"",
                One(answer, "Link")
            );
        }
    }

    [Fact]
    public async Task Calls_of_routes_on_their_way_out_are_counted()
    {
        using var client = host.NewClient();
        await client.GetAsync("/v1/old", Token);
        using var scraper = new HttpClient { BaseAddress = service.InternalAddress };
        var metrics = await scraper.GetStringAsync("/metrics", Token);

        Assert.Matches("bellhop_deprecated_requests_total\\{operation=\"GetOld\"\\} [1-9]", metrics);
    }

    private static Task<HttpResponseMessage> PreflightAsync(HttpClient client, string origin) =>
        SendAsync(
            client,
            HttpMethod.Options,
            "/v1/jobs",
            ("Origin", origin),
            ("Access-Control-Request-Method", "PATCH"),
            ("Access-Control-Request-Headers", "authorization,idempotency-key")
        );

    private static async Task<HttpResponseMessage> SendAsync(
        HttpClient client,
        HttpMethod method,
        string path,
        params (string Name, string? Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(method, path);
        foreach (var (name, value) in headers)
        {
            if (value is not null)
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return await client.SendAsync(request, Token);
    }

    private static string One(HttpResponseMessage answer, string header) => answer.Headers.GetValues(header).Single();
}
