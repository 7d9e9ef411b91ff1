using Bellhop.Features.Connections;
using Bellhop.Infrastructure.Outgoing;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class HttpConnectionTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("""{"type":"header","name":"X-Api-Key"}""", "X-Api-Key", "canary-1")]
    [InlineData("""{"type":"bearer"}""", "Authorization", "Bearer canary-1")]
    [InlineData("""{"type":"basic","user":"shop"}""", "Authorization", "Basic c2hvcDpjYW5hcnktMQ==")]
    public async Task The_secret_goes_with_each_request_and_takes_the_place_of_what_the_caller_set(
        string auth,
        string header,
        string value
    )
    {
        await using var api = await ApiDouble.AskingForAsync(header, value);
        var http = await OpenAsync(Config(api.Url + "/v1", auth));
        var url = http.Resolve("/customers?q=1").Url!;

        var response = await http.SendAsync(
            new OutgoingRequest(HttpMethod.Get, $"{url}") { Headers = [new(header.ToLowerInvariant(), "forged")] },
            Token
        );

        Assert.Equal(200, response.Status);
        Assert.Equal("/v1/customers?q=1", Assert.Single(api.Requests).Path);
    }

    [Fact]
    public async Task Nothing_is_sent_to_another_host()
    {
        await using var own = await ApiDouble.StartAsync(_ => Results.Ok());
        await using var other = await ApiDouble.StartAsync(_ => Results.Ok());
        var http = await OpenAsync(Config(own.Url, """{"type":"bearer"}"""));

        foreach (var url in new[] { other.Url, "https://127.0.0.1/", "http://localhost:" + own.Port, "x" })
        {
            var response = await http.SendAsync(new OutgoingRequest(HttpMethod.Get, url), Token);
            Assert.Equal((null, ConnectionErrors.HostNotOfConnection), (response.Status, response.ErrorCode));
        }

        Assert.Empty(other.Requests);
        Assert.Empty(own.Requests);
    }

    [Theory]
    [InlineData("users", "http://127.0.0.1:9/api/users")]
    [InlineData("/users/1?a=b", "http://127.0.0.1:9/api/users/1?a=b")]
    [InlineData("", "http://127.0.0.1:9/api/")]
    [InlineData("http://127.0.0.1:9/elsewhere", "http://127.0.0.1:9/elsewhere")]
    [InlineData("https://cdn.example.com/x", "https://cdn.example.com/x")]
    [InlineData("https://CDN.example.com./x", "https://cdn.example.com./x")]
    [InlineData("https://cdn.example.com:444/x", null)]
    [InlineData("http://cdn.example.com/x", null)]
    [InlineData("https://evil.example/x", null)]
    [InlineData("//evil.example/x", "http://127.0.0.1:9/api/evil.example/x")]
    [InlineData("@evil.example/x", "http://127.0.0.1:9/api/@evil.example/x")]
    [InlineData("http://127.0.0.1:9@evil.example/", null)]
    [InlineData("http://u:p@127.0.0.1:9/", null)]
    [InlineData("../admin", null)]
    [InlineData("a/%2e%2e/%2e%2e/admin", null)]
    [InlineData("a/..%2f..%2fadmin", null)]
    [InlineData("a/..;x/..;/admin", null)]
    [InlineData("a/%252e%252e%5cadmin", null)]
    [InlineData("a..b/c%2Fd", "http://127.0.0.1:9/api/a..b/c%2Fd")]
    [InlineData("a/../b", "http://127.0.0.1:9/api/b")]
    [InlineData("a\\..\\b", null)]
    [InlineData("a b", null)]
    [InlineData("a#b", null)]
    [InlineData("ü", null)]
    public async Task A_path_stays_within_the_connection(string path, string? url)
    {
        var http = await OpenAsync(TestConnections.Sound["http"]);

        var resolved = http.Resolve(path);

        Assert.Equal(url, resolved.Url?.AbsoluteUri);
        Assert.Equal(url is null, resolved.Error is not null);
    }

    [Fact]
    public async Task A_token_is_fetched_once_for_all_who_ask_and_renewed_once_when_it_is_not_taken()
    {
        var good = "token-1";
        await using var tokens = await ApiDouble.HandingOutTokensAsync("my%3Aid", "canary%2B1");
        await using var api = await ApiDouble.StartAsync(request =>
            request.Headers["Authorization"] == $"Bearer {good}" ? Results.Ok() : Results.StatusCode(401)
        );
        var http = await OpenAsync(
            Config(
                api.Url,
                $$"""{"type":"oauth2","token_url":"{{tokens.Url}}/t","client_id":"my:id","scope":"a b","audience":"c&d"}""",
                "canary+1"
            )
        );
        var request = new OutgoingRequest(HttpMethod.Get, api.Url);

        var many = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => http.SendAsync(request, Token)));
        var asked = tokens.Requests;
        good = "token-2";
        var renewed = await http.SendAsync(request, Token);
        good = "none";
        var refused = await http.SendAsync(request, Token);

        Assert.All(many, response => Assert.Equal(200, response.Status));
        Assert.Equal("grant_type=client_credentials&scope=a+b&audience=c%26d", Assert.Single(asked).Body);
        Assert.Equal((200, 401), (renewed.Status, refused.Status));
        Assert.Equal(3, tokens.Requests.Count);
    }

    [Fact]
    public async Task A_token_that_lasts_no_longer_is_not_used()
    {
        await using var tokens = await ApiDouble.HandingOutTokensAsync("id", "s", seconds: 0);
        await using var api = await ApiDouble.StartAsync(_ => Results.Ok());
        var http = await OpenAsync(
            Config(api.Url, $$"""{"type":"oauth2","token_url":"{{tokens.Url}}","client_id":"id"}""", "s")
        );

        await http.SendAsync(new OutgoingRequest(HttpMethod.Get, api.Url), Token);
        await http.SendAsync(new OutgoingRequest(HttpMethod.Get, api.Url), Token);

        Assert.Equal(
            ["Bearer token-1", "Bearer token-2"],
            api.Requests.Select(request => request.Headers["Authorization"])
        );
    }

    [Fact]
    public async Task Without_a_token_the_request_is_not_sent()
    {
        await using var tokens = await ApiDouble.HandingOutTokensAsync("id", "another");
        await using var api = await ApiDouble.StartAsync(_ => Results.Ok());
        var http = await OpenAsync(
            Config(api.Url, $$"""{"type":"oauth2","token_url":"{{tokens.Url}}","client_id":"id"}""", "s")
        );

        var response = await http.SendAsync(new OutgoingRequest(HttpMethod.Get, api.Url), Token);

        Assert.Equal((null, ConnectionErrors.TokenFailed), (response.Status, response.ErrorCode));
        Assert.Empty(api.Requests);
    }

    [Fact]
    public async Task Its_rate_holds_for_all_who_open_it_and_says_how_long_to_wait()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync(
            "mine",
            """{"kind":"http","config":{"base_url":"http://127.0.0.1:9","rate":{"requests":3,"seconds":3600}}}"""
        );
        var cache = service.Services.GetRequiredService<ConnectionCache>();
        var taken = 0;
        var wait = TimeSpan.Zero;

        for (var i = 0; i < 5; i++)
        {
            var http = (await cache.OpenHttpAsync(project.Id, "mine", Token))!;
            taken += http.TryTake(out wait) ? 1 : 0;
        }

        Assert.Equal(3, taken);
        Assert.InRange(wait.TotalSeconds, 1190, 1200);
    }

    [Fact]
    public async Task One_of_another_kind_says_so()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("mail", TestConnections.Sound["smtp"]);
        var cache = service.Services.GetRequiredService<ConnectionCache>();

        var thrown = await Assert.ThrowsAsync<ConnectionKindException>(async () =>
            await cache.OpenHttpAsync(project.Id, "mail", Token)
        );

        Assert.Equal("mail is a connection of kind smtp, not http.", thrown.Message);
        Assert.Null(await cache.OpenHttpAsync(project.Id, "none", Token));
    }

    private static string Config(string url, string auth, string secret = "canary-1") =>
        $$"""{"kind":"http","config":{"base_url":"{{url}}","auth":{{auth}}},"secret":{"value":"{{secret}}"} }""";

    private async Task<HttpConnection> OpenAsync(string document)
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("mine", document);
        var http = await service
            .Services.GetRequiredService<ConnectionCache>()
            .OpenHttpAsync(project.Id, "mine", Token);
        Assert.DoesNotContain("canary", $"{http}", StringComparison.Ordinal);
        return http!;
    }
}
