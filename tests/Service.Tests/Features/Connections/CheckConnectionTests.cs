using System.Net;
using Bellhop.Tests.Infrastructure.Outgoing;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

/// <summary>Checks of servers without TLS; those with TLS are in <see cref="CheckOverTlsTests"/>.</summary>
public sealed class CheckConnectionTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_API_that_lets_the_secret_in_is_whole()
    {
        await using var api = await ApiDouble.AskingForAsync("Authorization", "Bearer s");

        var report = await CheckAsync(Http(api.Url + "/v1", """{"type":"bearer"}"""));

        Assert.Equal(["resolve ok", "connect ok", "request ok"], report.Steps);
        Assert.Equal("HEAD", Assert.Single(api.Requests).Method);
    }

    [Theory]
    [InlineData(401, "request 401: the secret was not accepted.")]
    [InlineData(403, "request 403: who the secret belongs to may not do this.")]
    [InlineData(404, "request ok")]
    [InlineData(405, "request ok")]
    [InlineData(422, "request ok")]
    [InlineData(429, "request 429: too many requests went there; check again later.")]
    [InlineData(302, "request 302: It answered with a redirect, which is never followed: give the URL it leads to.")]
    [InlineData(503, "request 503: the server failed.")]
    public async Task What_an_API_answers_is_said_plainly(int status, string step)
    {
        await using var api = await ApiDouble.StartAsync(_ => Results.StatusCode(status));

        var report = await CheckAsync(Http(api.Url, """{"type":"header","name":"X-Key"}"""));

        Assert.Equal(step, report.Steps[^1]);
        Assert.Equal(step.EndsWith(" ok", StringComparison.Ordinal), report.Ok);
    }

    [Fact]
    public async Task Without_auth_a_401_says_what_is_missing()
    {
        await using var api = await ApiDouble.StartAsync(_ => Results.StatusCode(401));

        var report = await CheckAsync($$"""{"kind":"http","config":{"base_url":"{{api.Url}}"} }""");

        Assert.Equal("request 401: it wants to know who asks: give auth and a secret.", report.Steps[^1]);
    }

    [Fact]
    public async Task A_token_is_fetched_anew()
    {
        await using var tokens = await ApiDouble.HandingOutTokensAsync("id", "s");
        await using var api = await ApiDouble.AskingForAsync("Authorization", "Bearer token-1");
        var auth = $$"""{"type":"oauth2","token_url":"{{tokens.Url}}","client_id":"id"}""";

        var good = await CheckAsync(Http(api.Url, auth));
        var bad = await CheckAsync(Http(api.Url, auth, "canary-wrong"));

        Assert.Equal(["resolve ok", "connect ok", "token ok", "request ok"], good.Steps);
        Assert.Equal(["resolve ok", "connect ok", "token The token endpoint answered 401 invalid_client."], bad.Steps);
    }

    [Theory]
    [InlineData("""{"data":[{"id":"small"},{"id":"large"}]}""", "model ok")]
    [InlineData("""{"data":[{"id":"tiny"},{"id":"large"}]}""", "model There is no small; there are tiny, large.")]
    [InlineData("""{"data":[]}""", "model There are no models.")]
    [InlineData(
        "hello",
        "model The answer is no list of models: is base_url that of an API like OpenAI's, with its /v1?"
    )]
    public async Task A_provider_of_models_is_asked_for_the_model(string answer, string step)
    {
        await using var api = await ApiDouble.StartAsync(_ => Results.Text(answer));

        var report = await CheckAsync(
            $$"""{"kind":"llm","config":{"base_url":"{{api.Url}}/v1","model":"small"},"secret":{"value":"s"} }"""
        );

        Assert.Equal(["resolve ok", "connect ok", "request ok", step], report.Steps);
        Assert.Equal(
            ("GET", "/v1/models", "Bearer s"),
            (api.Requests[0].Method, api.Requests[0].Path, api.Requests[0].Headers["Authorization"])
        );
    }

    [Theory]
    [InlineData(S3Double.Bucket, S3Double.KeyId, S3Double.Secret, "list ok")]
    [InlineData(S3Double.Bucket, S3Double.KeyId, "canary-wrong", "list The secret does not belong to access_key_id.")]
    [InlineData(S3Double.Bucket, "AKIDOTHER", S3Double.Secret, "list There is no access key of that id.")]
    [InlineData("imports", S3Double.KeyId, S3Double.Secret, "list There is no bucket imports.")]
    public async Task A_bucket_is_listed_with_a_signed_request(string bucket, string keyId, string secret, string step)
    {
        await using var store = await S3Double.StartAsync();

        var report = await CheckAsync(
            $$"""{"kind":"s3","config":{"endpoint":"{{store.Url}}","region":"{{S3Double.Region}}","bucket":"{{bucket}}","access_key_id":"{{keyId}}"},"secret":{"value":"{{secret}}"} }"""
        );

        Assert.Equal(["resolve ok", "connect ok", step], report.Steps);
    }

    [Fact]
    public async Task A_store_is_not_followed_elsewhere()
    {
        await using var elsewhere = await S3Double.StartAsync();
        await using var store = await ApiDouble.StartAsync(_ => Results.Redirect(elsewhere.Url, permanent: true));

        var report = await CheckAsync(
            $$"""{"kind":"s3","config":{"endpoint":"{{store.Url}}","region":"eu-1","bucket":"exports","access_key_id":"k"},"secret":{"value":"s"} }"""
        );

        Assert.False(report.Ok);
        Assert.Empty(elsewhere.Requests);
    }

    [Fact]
    public async Task A_mail_server_is_logged_in_to_and_sent_nothing()
    {
        await using var server = await MailServer.StartAsync("off");

        var good = await CheckAsync(Mail(server.Port, MailServer.Password));
        var bad = await CheckAsync(Mail(server.Port, "canary-wrong"));

        Assert.Equal(["resolve ok", "connect ok", "greeting ok", "login ok"], good.Steps);
        // the server said the password
        Assert.Equal("login 535 No such login: shop …", bad.Steps[^1]);
        Assert.Empty(server.Messages);
    }

    [Fact]
    public async Task Where_nothing_listens_the_step_says_so()
    {
        var port = ServiceProcess.FreePort();

        foreach (var (kind, steps) in new[] { ("http", "connect"), ("postgresql", "connect"), ("mysql", "connect") })
        {
            var document =
                kind == "http"
                    ? $$"""{"kind":"http","config":{"base_url":"http://127.0.0.1:{{port}}"} }"""
                    : $$"""{"kind":"{{kind}}","config":{"host":"127.0.0.1","port":{{port}},"database":"d","user":"u","tls":"off"},"secret":{"value":"s"} }""";
            var report = await CheckAsync(document);
            Assert.Equal(
                (kind, $"{steps} Nothing accepts connections there: is the server up, and the port right?"),
                (kind, report.Steps[^1])
            );
        }
    }

    [Fact]
    public async Task Who_says_nothing_costs_ten_seconds_at_most()
    {
        await using var silent = new LoopbackServer((_, token) => Task.Delay(Timeout.Infinite, token));
        var began = TimeProvider.System.GetTimestamp();

        var report = await CheckAsync(Http($"http://127.0.0.1:{silent.Port}", """{"type":"bearer"}"""));

        Assert.Equal("request No answer came within the 10 seconds that a check takes.", report.Steps[^1]);
        Assert.InRange(TimeProvider.System.GetElapsedTime(began).TotalSeconds, 9, 25);
    }

    [Fact]
    public async Task One_that_is_not_there_is_404_and_a_viewer_may_not_check()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("mine", TestConnections.Sound["llm"]);
        var missing = await project.Http.CallAsync("POST", $"{TestConnections.Path}/yours/check");
        await project.UseKeyAsync("viewer");

        var refused = await project.Http.CallAsync("POST", $"{TestConnections.Path}/mine/check");

        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.Forbidden), (missing.Status, refused.Status));
    }

    private static string Http(string url, string auth, string secret = "s") =>
        $$"""{"kind":"http","config":{"base_url":"{{url}}","auth":{{auth}}},"secret":{"value":"{{secret}}"} }""";

    private static string Mail(int port, string password) =>
        $$"""{"kind":"smtp","config":{"host":"127.0.0.1","port":{{port}},"user":"{{MailServer.User}}","from":"a@shop.example","tls":"off"},"secret":{"value":"{{password}}"} }""";

    private async Task<Report> CheckAsync(string document)
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("mine", document);
        return Report.Of(await project.Http.CallAsync("POST", $"{TestConnections.Path}/mine/check"));
    }
}

/// <summary>A check's report: each step by its name, and <c>ok</c> or what was wrong.</summary>
internal sealed record Report(bool Ok, IReadOnlyList<string> Steps, string Text)
{
    public static Report Of(Answer answer)
    {
        answer.Expect(HttpStatusCode.OK);
        Assert.DoesNotContain("canary", answer.Text, StringComparison.Ordinal);
        var steps = answer.Body.GetProperty("steps").EnumerateArray().ToArray();
        Assert.All(steps, step => Assert.InRange(step.GetProperty("seconds").GetDouble(), 0, 25));
        var report = new Report(
            answer.Body.GetProperty("ok").GetBoolean(),
            [
                .. steps.Select(step =>
                    $"{step.GetProperty("name").GetString()} {(step.GetProperty("ok").GetBoolean() ? "ok" : step.GetProperty("detail").GetString())}"
                ),
            ],
            answer.Text
        );
        Assert.Equal(report.Ok, report.Steps.All(step => step.EndsWith(" ok", StringComparison.Ordinal)));
        return report;
    }
}
