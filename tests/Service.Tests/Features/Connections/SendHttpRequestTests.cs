using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class SendHttpRequestTests(ServiceFixture service)
{
    private const string Canary = "kanarienvogel-93b1";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_sends_through_a_connection_and_its_result_is_the_answer_without_the_secret()
    {
        await using var receiver = await Receiver.StartAsync(
            (got, _) =>
                Task.FromResult(
                    Results.Json(
                        new
                        {
                            seen = got.Headers["authorization"],
                            got.Path,
                            got.Query,
                        }
                    )
                )
        );
        var project = await service.NewProjectAsync();
        await ConnectAsync(project, receiver.Url, """{"type":"basic","user":"me"}""");

        var job = await EndedAsync(
            project,
            """{"method":"DELETE","connection":"crm","path":"/orders/7?hard=1","query":{"why":"test"}}"""
        );

        Assert.Equal("succeeded", job.State());
        var body = job.GetProperty("result").GetProperty("body");
        Assert.Equal("Basic ***", body.GetProperty("seen").GetString());
        Assert.Equal("/hook/orders/7", body.GetProperty("path").GetString());
        Assert.Equal("?hard=1&why=test", body.GetProperty("query").GetString());
        var sent = Assert.Single(receiver.Received);
        Assert.Equal($"{job.GetProperty("id").GetGuid()}", sent.Headers["idempotency-key"]);
        Assert.Equal("Basic bWU6a2FuYXJpZW52b2dlbC05M2Ix", sent.Headers["authorization"]);
    }

    [Fact]
    public async Task A_rate_that_is_used_up_gives_the_attempt_back()
    {
        await using var receiver = await Receiver.StartAsync();
        var project = await service.NewProjectAsync();
        await ConnectAsync(project, receiver.Url, """{"type":"bearer"}""", """{"requests":1,"seconds":3600}""");
        const string Args = """{"method":"GET","connection":"crm","path":"/"}""";
        await EndedAsync(project, Args);

        var second = await EnqueueAsync(project, Args);
        var job = await Eventually.FitAsync(
            () => TestJobs.GetAsync(project, second),
            shown => shown.GetProperty("run_at").GetDateTime() > DateTime.UtcNow.AddMinutes(10)
        );

        var attempt = Assert.Single(job.GetProperty("attempts").EnumerateArray());
        Assert.Equal("released", attempt.GetProperty("outcome").GetString());
        Assert.Single(receiver.Received);
    }

    [Theory]
    [InlineData("""{"method":"GET","connection":"nobody","path":"/"}""", "unknown_connection")]
    [InlineData("""{"method":"GET","connection":"crm","path":"/../secret"}""", "host_not_of_connection")]
    [InlineData("""{"method":"GET","connection":"crm","path":"/a/..%2f..%2fsecret"}""", "host_not_of_connection")]
    [InlineData("""{"method":"GET","connection":"crm","path":"/a/%252e%252E%5csecret"}""", "host_not_of_connection")]
    [InlineData("""{"method":"GET","connection":"crm","url":"http://127.0.0.1:1/"}""", "host_not_of_connection")]
    [InlineData("""{"method":"GET","url":"http://10.0.0.1/"}""", "address_not_allowed")]
    [InlineData("""{"method":"GET","path":"/x"}""", "invalid_args")]
    [InlineData("""{"method":"GET"}""", "invalid_args")]
    [InlineData("""{"method":"get","url":"https://a.example/"}""", "invalid_args")]
    [InlineData("""{"method":"GET","url":"https://a.example/","unknown":1}""", "invalid_args")]
    [InlineData("""{"method":"GET","url":"https://a.example/","headers":{"a":[1]}}""", "invalid_args")]
    [InlineData("""{"method":"GET","url":"https://a.example/","headers":{"Host":"b"}}""", "header_not_allowed")]
    [InlineData("""{"method":"GET","url":"https://a.example/","timeout_seconds":3600}""", "invalid_args")]
    public async Task What_cannot_be_sent_fails_at_once(string args, string code)
    {
        await using var receiver = await Receiver.StartAsync();
        var project = await service.NewProjectAsync();
        await ConnectAsync(project, receiver.Url, """{"type":"bearer"}""");

        var job = await EndedAsync(project, args);

        Assert.Equal("failed", job.State());
        Assert.Equal(code, job.GetProperty("error").GetProperty("code").GetString());
        Assert.Empty(receiver.Received);
    }

    [Fact]
    public async Task A_path_stays_under_the_base_url_even_where_it_is_a_whole_url()
    {
        await using var receiver = await Receiver.StartAsync();
        var project = await service.NewProjectAsync();
        await ConnectAsync(project, receiver.Url, """{"type":"bearer"}""");
        var outside = receiver.Url.Replace("/hook", "/admin", StringComparison.Ordinal);

        await EndedAsync(project, $$"""{"method":"GET","connection":"crm","path":"{{outside}}"}""");
        await EndedAsync(project, """{"method":"GET","connection":"crm","path":"x?next=https://a.example/"}""");

        Assert.All(receiver.Received, sent => Assert.StartsWith("/hook/", sent.Path, StringComparison.Ordinal));
        Assert.Equal(2, receiver.Received.Count);
    }

    private static async Task ConnectAsync(TestProject project, string url, string auth, string? rate = null)
    {
        var config = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(
            $$"""{"base_url":"{{url}}","auth":{{auth}}{{(rate is null ? "" : $",\"rate\":{rate}")}}}"""
        );
        using var answer = await project.Http.PostAsJsonAsync(
            "/v1/connections",
            new
            {
                name = "crm",
                kind = "http",
                config,
                secret = new { value = Canary },
            },
            Token
        );
        Assert.True(answer.StatusCode == HttpStatusCode.Created, await answer.Content.ReadAsStringAsync(Token));
    }

    private static async Task<Guid> EnqueueAsync(TestProject project, string args)
    {
        using var answer = await project.Http.PostAsJsonAsync(
            "/v1/jobs",
            new { kind = "http.request", args = JsonElement.Parse(args) },
            Token
        );
        var body = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.True(answer.StatusCode == HttpStatusCode.Created, body.ToString());
        return body.GetProperty("id").GetGuid();
    }

    private static async Task<JsonElement> EndedAsync(TestProject project, string args)
    {
        var id = await EnqueueAsync(project, args);
        return await Eventually.FitAsync(
            () => TestJobs.GetAsync(project, id),
            job => job.State() is "succeeded" or "failed"
        );
    }
}
