using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Abuse;

/// <summary>What the public sees, through the Caddyfile as it stands: and the guards of every answer.</summary>
public sealed class PublicDoorTests(PublicDoor door) : IClassFixture<PublicDoor>
{
    private const int MiB = 1024 * 1024;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, int[], bool> Requests => HostileRequests.All;

    [Theory]
    [MemberData(nameof(Requests), DisableDiscoveryEnumeration = true)]
    [Trait("Abuse", "R-49")]
    public async Task R49_what_one_sends_through_the_proxy_never_becomes_anothers_answer(
        string name,
        string text,
        int[] statuses,
        bool goesOn
    )
    {
        var answer = await RawHttp.ProvokeAsync(door.Caddy.Https, text);
        var others = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => AskAsync()));

        // the proxy may be more lenient than the service; it may not see more requests than the text can be taken for
        var most = Math.Max(statuses.Length, goesOn ? 1 : 2);
        Assert.True(answer.Statuses.Length <= most, $"{name}: {string.Join(' ', answer.Statuses)}");
        Assert.DoesNotContain(500, answer.Statuses);
        Assert.All(others, Assert.True);
    }

    [Fact]
    [Trait("Abuse", "R-45")]
    public async Task R45_headers_that_do_not_end_are_given_up_by_the_proxy_too()
    {
        Assert.True(await AskAsync());

        // it closes, and says nothing: that alone ends them
        Assert.All(await door.SlowAnswers, answer => Assert.DoesNotContain("200 OK", answer, StringComparison.Ordinal));
        Assert.True(await AskAsync());
    }

    [Theory]
    [InlineData("/v1/jobs", 2, false)]
    [InlineData("/v1/jobs", 2, true)]
    [InlineData("/v1/jobs/bulk", 11, false)]
    [InlineData("/v1/jobs/bulk", 11, true)]
    [InlineData("/v1/jobs/bulk", 40, false)]
    [InlineData("/v1/jobs/bulk", 40, true)]
    [InlineData("/in/nobody", 6, false)]
    [Trait("Abuse", "R-46")]
    public async Task R46_what_is_too_large_is_413_through_the_proxy_too(string path, int mebibytes, bool inChunks)
    {
        var key = await door.Own.NewKeyAsync();
        var body = new string(' ', mebibytes * MiB);
        var answer = await RawHttp.SendAsync(
            door.Caddy.Https,
            $"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
                + "Connection: close\r\nContent-Type: application/json\r\n"
                + (
                    inChunks
                        ? $"Transfer-Encoding: chunked\r\n\r\n{body.Length:x}\r\n{body}\r\n0\r\n\r\n"
                        : $"Content-Length: {body.Length}\r\n\r\n{body}"
                )
        );

        Assert.StartsWith("HTTP/1.1 413 ", answer, StringComparison.Ordinal);
        Assert.Contains("application/problem+json", answer, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"too_large\"", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/metrics")]
    [InlineData("/metrics/")]
    [InlineData("//metrics")]
    [InlineData("/%6detrics")]
    [InlineData("/METRICS")]
    [InlineData("/./metrics")]
    [InlineData("/metrics;x")]
    [InlineData("/v1/../metrics")]
    [InlineData("/v1/%2e%2e/metrics")]
    [InlineData("/v1/..%2fmetrics")]
    [InlineData("/v1//../../metrics")]
    [InlineData("/docs/../metrics")]
    [InlineData("/health/live")]
    [InlineData("/health/ready")]
    [InlineData("/v1/../health/ready")]
    [InlineData("/HEALTH/live")]
    [InlineData("/.env")]
    public async Task S34_nothing_internal_is_reached_however_it_is_spelled(string path)
    {
        var answer = await RawHttp.SendAsync(
            door.Caddy.Https,
            $"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );

        Assert.StartsWith("HTTP/1.1 404 ", answer, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"not_found\"", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/info", 200)]
    [InlineData("/openapi.json", 200)]
    [InlineData("/docs/", 200)]
    [InlineData("/v1/jobs", 401)]
    [InlineData("/nowhere", 404)]
    [InlineData("/v1/nowhere", 404)]
    public async Task S29_every_answer_is_guarded_and_names_no_server(string path, int status)
    {
        using var client = door.Caddy.NewClient();
        using var answer = await client.GetAsync(path, Token);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("max-age=31536000; includeSubDomains", One(answer, "Strict-Transport-Security"));
        Assert.Equal("nosniff", One(answer, "X-Content-Type-Options"));
        Assert.Equal("no-referrer", One(answer, "Referrer-Policy"));
        Assert.Contains("frame-ancestors 'none'", One(answer, "Content-Security-Policy"), StringComparison.Ordinal);
        Assert.NotEmpty(One(answer, "X-Request-Id"));
        Assert.NotNull(answer.Headers.CacheControl);
        Assert.Empty(answer.Headers.Server);
        Assert.False(answer.Headers.Contains("X-Powered-By"));
        Assert.False(answer.Headers.Contains("Via"));
    }

    [Theory]
    [InlineData("GET", "/v1/info")]
    [InlineData("POST", "/v1/events")]
    [InlineData("POST", "/in/token")]
    [InlineData("POST", "/docs/")]
    public async Task S29_programs_that_speak_in_the_clear_are_refused_and_told_why(string method, string path)
    {
        using var client = door.Caddy.NewClient();
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(door.Caddy.Http, path));
        using var answer = await client.SendAsync(request, Token);

        await ExpectProblemAsync(answer, HttpStatusCode.Forbidden, "https_required", path);
        Assert.False(answer.Headers.Contains("Strict-Transport-Security")); // RFC 6797 section 7.2
    }

    [Fact]
    public async Task S29_a_browser_that_asks_for_a_page_in_the_clear_is_sent_on()
    {
        using var client = door.Caddy.NewClient();
        using var answer = await client.GetAsync(new Uri(door.Caddy.Http, "/docs/?a=b"), Token);

        Assert.Equal(HttpStatusCode.PermanentRedirect, answer.StatusCode);
        Assert.Equal("https://localhost/docs/?a=b", answer.Headers.Location?.OriginalString);
    }

    [Theory]
    [InlineData("abc-123_X", true)]
    [InlineData("a\"b", false)]
    [InlineData("a b", false)]
    public async Task A_problem_of_the_proxy_has_the_request_s_id(string id, bool isKept)
    {
        using var client = door.Caddy.NewClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/no\"where\\?secret=\"1\"");
        request.Headers.TryAddWithoutValidation("X-Request-Id", id);
        using var answer = await client.SendAsync(request, Token);

        await ExpectProblemAsync(answer, HttpStatusCode.NotFound, "not_found", null);
        Assert.Equal(isKept, One(answer, "X-Request-Id") == id);
    }

    [Fact]
    public async Task The_proxy_and_the_service_call_a_request_by_one_id()
    {
        using var client = door.Caddy.NewClient();
        using var answer = await client.GetAsync("/v1/jobs", Token);
        var problem = JsonElement.Parse(await answer.Content.ReadAsStringAsync(Token));

        // made by the proxy, whose ids have hyphens; the service takes what it is given
        Assert.Matches("^[0-9a-f]{8}-", One(answer, "X-Request-Id"));
        Assert.Equal(One(answer, "X-Request-Id"), problem.GetProperty("request_id").GetString());
    }

    [Theory]
    [InlineData("X-Forwarded-For", "203.0.113.9")]
    [InlineData("X-Forwarded-Proto", "http")]
    [InlineData("X-Forwarded-Host", "evil.example")]
    [InlineData("X-Forwarded-Prefix", "/evil")]
    [InlineData("Forwarded", "for=203.0.113.9;proto=http;host=evil.example")]
    [InlineData("X-Real-IP", "203.0.113.9")]
    [InlineData("X-Original-URL", "/metrics")]
    [InlineData("X-Rewrite-URL", "/metrics")]
    [InlineData("Connection", "X-Forwarded-For, X-Forwarded-Proto")]
    public async Task S31_what_a_client_says_about_the_way_changes_nothing(string header, string value)
    {
        using var client = door.Caddy.NewClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/way");
        request.Headers.TryAddWithoutValidation(header, value);
        using var answer = await client.SendAsync(request, Token);

        Assert.Contains(
            await answer.Content.ReadAsStringAsync(Token),
            new[] { "127.0.0.1 https localhost", "::1 https localhost" }
        );
    }

    [Theory]
    [InlineData("evil.example")]
    [InlineData("localhost.evil.example")]
    [InlineData("127.0.0.1")]
    [InlineData("")]
    public async Task S31_under_another_name_there_is_nothing(string name)
    {
        foreach (var address in new[] { door.Caddy.Https, door.Caddy.Http })
        {
            var answer = await RawHttp.SendAsync(
                address,
                $"GET /v1/info HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
            );

            Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
            Assert.Contains("\"malformed_request\"", answer, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_stream_comes_through_as_it_happens_packed_or_not()
    {
        using var client = await NewClientAsync();
        var job = await client.PostAsync("/v1/jobs", """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""");
        foreach (var encoding in new[] { "identity", "gzip" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/jobs/{job.Id}/events");
            request.Headers.AcceptEncoding.ParseAdd(encoding);
            using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
            await using var stream = await answer.Content.ReadAsStreamAsync(Token);

            var some = await stream.ReadAsync(new byte[64], Token).AsTask().WaitAsync(TimeSpan.FromSeconds(5), Token);
            Assert.True(some > 0);
        }
    }

    [Fact]
    public async Task The_log_of_the_proxy_holds_no_token_and_no_query()
    {
        using var client = door.Caddy.NewClient();
        using var webhook = await client.PostAsync("/in/canary-token?canary-query", null, Token);
        using var list = await client.GetAsync("/v1/jobs?cursor=canary-cursor", Token);

        await Eventually.BeTrueAsync(
            () => Task.FromResult(door.Caddy.Output.Contains("/v1/jobs", StringComparison.Ordinal)),
            "the requests are logged"
        );
        Assert.DoesNotContain("canary", door.Caddy.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_is_down_is_waited_for_and_then_told_as_a_problem()
    {
        using var answer = await door.AnswerOfNobody;

        var problem = await ExpectProblemAsync(answer, HttpStatusCode.BadGateway, "unavailable", "/v1/jobs");
        Assert.Contains("repeat it", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromSeconds(1), answer.Headers.RetryAfter?.Delta);
        Assert.Equal("nosniff", One(answer, "X-Content-Type-Options"));
        Assert.True(answer.Headers.Contains("Strict-Transport-Security"));
    }

    private async Task<HttpClient> NewClientAsync()
    {
        var client = door.Caddy.NewClient();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
            "Bearer",
            await door.Own.NewKeyAsync()
        );
        return client;
    }

    /// <summary>Somebody else, on a connection of his own: whether he is answered what he asked.</summary>
    private async Task<bool> AskAsync()
    {
        using var client = door.Caddy.NewClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/info");
        var id = Guid.NewGuid().ToString("N");
        request.Headers.Add("X-Request-Id", id);
        using var answer = await client.SendAsync(request, Token);
        return answer.IsSuccessStatusCode
            && One(answer, "X-Request-Id") == id
            && (await answer.Content.ReadAsStringAsync(Token)).Contains("\"bellhop\"", StringComparison.Ordinal);
    }

    private static async Task<JsonElement> ExpectProblemAsync(
        HttpResponseMessage answer,
        HttpStatusCode status,
        string code,
        string? instance
    )
    {
        var text = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(answer.StatusCode == status, $"{answer.StatusCode} {text}");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = JsonElement.Parse(text);
        Assert.Equal($"urn:bellhop:problem:{code}", problem.GetProperty("type").GetString());
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.Equal((int)status, problem.GetProperty("status").GetInt32());
        Assert.NotEmpty(problem.GetProperty("title").GetString()!);
        Assert.NotEmpty(problem.GetProperty("detail").GetString()!);
        Assert.Equal(One(answer, "X-Request-Id"), problem.GetProperty("request_id").GetString());
        Assert.Equal(
            instance ?? problem.GetProperty("instance").GetString(),
            problem.GetProperty("instance").GetString()
        );
        return problem;
    }

    private static string One(HttpResponseMessage answer, string header) => answer.Headers.GetValues(header).Single();
}
