using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class TakeEffectTests(ServiceFixture service)
{
    private const string Canary = "kanarienvogel-7f3a \"quoted\" /Ω";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_request_is_sent_as_written_and_its_answer_is_the_output()
    {
        await using var receiver = await Receiver.StartAsync(
            (_, _) => Task.FromResult(Results.Json(new { id = 7 }, statusCode: 201))
        );

        var (run, _) = await RunAsync(
            $$$"""
            {"id":"call","uses":"http","with":{"method":"PUT","url":"{{{receiver.Url}}}/${event.subject}",
                "headers":{"x-a":"${event.type}","x-n":5},"query":{"q":"a b&c","n":[1,true],"gone":null},"body":{"n":"${event.data.n}"} } },
            {"id":"after","uses":"set","with":{"id":"${steps.call.output.body.id}","status":"${steps.call.output.status}"}}
            """,
            """{"n":1.50}"""
        );

        Assert.Equal("succeeded", run.State());
        Assert.Equal("""{"id":7,"status":201}""", run.Step("after").GetProperty("output").GetRawText());
        var headers = run.Step("call").GetProperty("output").GetProperty("headers");
        Assert.StartsWith(
            "application/json",
            headers.GetProperty("content-type").GetString(),
            StringComparison.Ordinal
        );
        var sent = Assert.Single(receiver.Received);
        Assert.Equal(("PUT", "/hook/42", "?q=a%20b%26c&n=1&n=true"), (sent.Method, sent.Path, sent.Query));
        Assert.Equal("""{"n":1.50}""", sent.Body);
        Assert.Equal("application/json", sent.Headers["content-type"]);
        Assert.Equal(("a", "5"), (sent.Headers["x-a"], sent.Headers["x-n"]));
        Assert.Equal($"{run.GetProperty("id").GetGuid()}/call", sent.Headers["idempotency-key"]);
    }

    [Fact]
    public async Task A_failure_that_may_pass_is_tried_again_with_the_same_key()
    {
        await using var receiver = await Receiver.StartAsync(
            (_, before) => Task.FromResult(before < 2 ? Results.StatusCode(503) : Results.Text("done"))
        );

        var (run, _) = await RunAsync(
            $$$"""
            {"id":"call","uses":"http","with":{"method":"POST","url":"{{{receiver.Url}}}","body":"text"},
             "retry":{"max_attempts":5,"initial_seconds":0}}
            """
        );

        Assert.Equal("succeeded", run.State());
        Assert.Equal("done", run.Step("call").GetProperty("output").GetProperty("body").GetString());
        Assert.Equal(3, receiver.Received.Count);
        Assert.Single(receiver.Received.Select(one => one.Headers["idempotency-key"]).Distinct());
        Assert.All(receiver.Received, one => Assert.Equal("text/plain; charset=utf-8", one.Headers["content-type"]));
    }

    [Fact]
    public async Task A_receiver_that_asks_for_a_pause_gets_it()
    {
        await using var receiver = await Receiver.StartAsync(
            async (_, _) =>
            {
                await Task.CompletedTask;
                return new WithHeader(429, "retry-after", "3000");
            }
        );
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            $$$"""
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"call","uses":"http","with":{"method":"GET","url":"{{{receiver.Url}}}"},"retry":{"initial_seconds":0}}]}
            """
        );
        await project.PublishAsync("a");

        var run = await Eventually.FitAsync(
            async () => (await project.GetAsync("/v1/runs")).GetProperty("items").EnumerateArray().FirstOrDefault(),
            shown => shown.ValueKind == JsonValueKind.Object && shown.State() == "waiting"
        );
        run = await project.GetAsync($"/v1/runs/{run.GetProperty("id").GetGuid()}");
        var job = await Eventually.FitAsync(
            () => project.GetAsync($"/v1/jobs/{run.Step("call").GetProperty("job_id").GetGuid()}"),
            shown => shown.GetProperty("attempts").GetArrayLength() == 1
        );

        Assert.True(job.GetProperty("run_at").GetDateTime() > DateTime.UtcNow.AddSeconds(2000), job.ToString());
    }

    [Theory]
    [InlineData("GET", "[404]", "succeeded")]
    [InlineData("GET", "[409]", "failed")]
    public async Task A_status_is_a_failure_unless_it_is_accepted(string method, string accept, string state)
    {
        await using var receiver = await Receiver.StartAsync(
            (_, _) => Task.FromResult(Results.Text("no such order", statusCode: 404))
        );

        var (run, _) = await RunAsync(
            $$$"""{"id":"call","uses":"http","with":{"method":"{{{method}}}","url":"{{{receiver.Url}}}","accept":{{{accept}}}}}"""
        );

        Assert.Equal(state, run.State());
        Assert.Single(receiver.Received);
        if (state == "failed")
        {
            var error = run.Step("call").GetProperty("error");
            Assert.Equal("http_status", error.GetProperty("code").GetString());
            Assert.Equal("GET was answered with 404: no such order", error.GetProperty("message").GetString());
        }
    }

    [Fact]
    public async Task Bytes_come_as_base64_and_too_many_are_a_failure()
    {
        await using var receiver = await Receiver.StartAsync(
            (_, before) =>
                Task.FromResult(before == 0 ? Results.Bytes([0, 255, 1]) : Results.Bytes(new byte[300 * 1024]))
        );

        var (run, _) = await RunAsync(
            $$$"""
            {"id":"some","uses":"http","with":{"method":"GET","url":"{{{receiver.Url}}}"}},
            {"id":"many","uses":"http","with":{"method":"GET","url":"{{{receiver.Url}}}"}}
            """
        );

        Assert.Equal("base64", run.Step("some").GetProperty("output").GetProperty("body_encoding").GetString());
        Assert.Equal("AP8B", run.Step("some").GetProperty("output").GetProperty("body").GetString());
        Assert.Equal("response_too_large", run.Step("many").GetProperty("error").GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("""{"a":"\ud800"}""")]
    [InlineData("""{"a":"\u0000"}""")]
    [InlineData("""{"a":1,"a":2}""")]
    [InlineData("""{"a":1e999}""")]
    [InlineData("""{"a":""")]
    public async Task What_calls_itself_JSON_and_could_not_be_kept_as_such_is_text(string sent)
    {
        await using var receiver = await Receiver.StartAsync(
            (_, _) => Task.FromResult(Results.Text(sent, "application/json"))
        );
        var project = await service.NewProjectAsync();
        await PutSecretAsync(project, "crm", Canary); // so that texts are looked into
        await project.SaveAsync(
            $$$"""
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"call","uses":"http","with":{"method":"POST","url":"{{{receiver.Url}}}","body":"${secrets.crm}"}},
                {"id":"after","uses":"set","with":{"size":"${size(steps.call.output.body)}"}}]}
            """
        );
        await project.PublishAsync("a");

        var run = await project.EndedRunAsync("mine");

        Assert.Equal("succeeded", run.State());
        Assert.Equal(sent, run.Step("call").GetProperty("output").GetProperty("body").GetString());
    }

    [Fact]
    public async Task A_secret_reaches_its_receiver_and_nothing_that_is_kept()
    {
        await using var receiver = await Receiver.StartAsync(
            (got, _) => Task.FromResult(Results.Text(got.Body, "application/json"))
        );
        var project = await service.NewProjectAsync();
        await PutSecretAsync(project, "crm-key", Canary);
        await project.SaveAsync(
            $$$"""
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"call","uses":"http","with":{"method":"POST","url":"{{{receiver.Url}}}",
                    "headers":{"x-size":"${size(secrets['crm-key'])}"},"body":{"key":"${secrets['crm-key']}","text":"it is ${secrets['crm-key']}!"} } },
                {"id":"refused","uses":"http","with":{"method":"POST","url":"{{{receiver.Url}}}","accept":[],"timeout_seconds":5,
                    "body":"${secrets['crm-key']}"},"on_error":"continue"}]}
            """
        );
        await project.PublishAsync("a");

        var run = await project.EndedRunAsync("mine");

        Assert.Equal("succeeded", run.State());
        var sent = receiver.Received[0].Json;
        Assert.Equal(Canary, sent.GetProperty("key").GetString());
        Assert.Equal(
            """{"key":"***","text":"it is ***!"}""",
            run.Step("call").GetProperty("output").GetProperty("body").GetRawText()
        );
        Assert.Equal("***", run.Step("refused").GetProperty("output").GetProperty("body").GetString());
        foreach (var table in (string[])["jobs", "job_history", "run_steps", "runs", "automation_versions"])
        {
            Assert.Equal(
                0,
                await project.CountAsync(
                    $"SELECT count(*) FROM {table} t WHERE project_id = @Id AND t::text LIKE '%kanarienvogel%'"
                )
            );
        }
    }

    [Fact]
    public async Task A_secret_in_an_answer_that_refuses_is_masked_in_the_error()
    {
        await using var receiver = await Receiver.StartAsync(
            (got, _) => Task.FromResult(Results.Text($"I do not like {got.Body}", statusCode: 400))
        );
        var project = await service.NewProjectAsync();
        await PutSecretAsync(project, "crm", Canary);
        await project.SaveAsync(
            $$$"""
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"call","uses":"http","with":{"method":"POST","url":"{{{receiver.Url}}}","body":"${secrets.crm}"}}]}
            """
        );
        await project.PublishAsync("a");

        var run = await project.EndedRunAsync("mine");

        Assert.Equal(
            "POST was answered with 400: I do not like ***",
            run.GetProperty("error").GetProperty("message").GetString()
        );
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("bytes")]
    [InlineData("json")]
    [InlineData("unicode")]
    [InlineData("query")]
    [InlineData("form")]
    public async Task A_secret_is_masked_however_an_answer_writes_it(string form)
    {
        await using var receiver = await Receiver.StartAsync(
            (got, _) => Task.FromResult(Echo(form, got.Json.GetProperty("key").GetString()!))
        );
        var project = await service.NewProjectAsync();
        await PutSecretAsync(project, "crm", Canary);
        await project.SaveAsync(
            $$$"""
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"call","uses":"http","with":{"method":"POST","url":"{{{receiver.Url}}}","body":{"key":"${secrets.crm}"} },"on_error":"continue"}]}
            """
        );
        await project.PublishAsync("a");

        var step = (await project.EndedRunAsync("mine")).Step("call");

        var kept = step.GetRawText();
        if (step.GetProperty("output") is { ValueKind: JsonValueKind.Object } output)
        {
            kept = Encoding.Latin1.GetString(output.GetProperty("body").GetBytesFromBase64());
        }

        Assert.Contains("***", kept, StringComparison.Ordinal);
        Assert.DoesNotContain("kanarien", kept, StringComparison.Ordinal);
        Assert.DoesNotContain("quoted", kept, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_that_an_expression_repeats_in_its_error_is_masked()
    {
        var project = await service.NewProjectAsync();
        await PutSecretAsync(project, "crm", Canary);
        await project.SaveAsync(
            """
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"call","uses":"http","with":{"method":"GET","url":"https://a.example/${event.data[secrets.crm]}"}}]}
            """
        );
        await project.PublishAsync("a");

        var error = (await project.EndedRunAsync("mine")).GetProperty("error").GetProperty("message").GetString();

        Assert.Contains("'***'", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"text":"\ud800"}""")]
    [InlineData("""{"\udc00":1}""")]
    public async Task An_answer_with_half_a_character_is_kept_as_text_and_not_asked_for_again(string answer)
    {
        await using var receiver = await Receiver.StartAsync(
            (_, _) => Task.FromResult(Results.Text(answer, "application/json"))
        );

        var (run, _) = await RunAsync(
            $$$"""{"id":"call","uses":"http","with":{"method":"POST","url":"{{{receiver.Url}}}"}}"""
        );

        Assert.Equal("succeeded", run.State());
        Assert.Equal(answer, run.Step("call").GetProperty("output").GetProperty("body").GetString());
        Assert.Single(receiver.Received);
    }

    [Theory]
    [InlineData(60, JsonValueKind.Array)]
    [InlineData(65, JsonValueKind.String)]
    public async Task An_answer_as_deep_as_it_gets_can_be_read_again(int depth, JsonValueKind kind)
    {
        var answer = new string('[', depth) + new string(']', depth);
        await using var receiver = await Receiver.StartAsync(
            (_, _) => Task.FromResult(Results.Text(answer, "application/json"))
        );

        var (run, project) = await RunAsync(
            $$$"""
            {"id":"call","uses":"http","with":{"method":"GET","url":"{{{receiver.Url}}}"}},
            {"id":"after","uses":"set","with":{"x":"${steps.call.output.body}"}}
            """
        );

        Assert.Equal("succeeded", run.State());
        Assert.Equal(kind, run.Step("after").GetProperty("output").GetProperty("x").ValueKind);
        var job = await project.GetAsync($"/v1/jobs/{run.Step("call").GetProperty("job_id").GetGuid()}");
        Assert.Equal("succeeded", job.State());
    }

    [Fact]
    public async Task A_secret_that_is_gone_when_it_is_needed_fails_the_step()
    {
        var project = await service.NewProjectAsync();
        await PutSecretAsync(project, "crm", "value");
        await project.SaveAsync(
            """
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"call","uses":"http","with":{"method":"GET","url":"http://127.0.0.1:9/${secrets.crm}"}}]}
            """
        );
        var (status, body) = await project.CallAsync(HttpMethod.Delete, "/v1/secrets/crm");
        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Contains("automations/mine", body.GetProperty("detail").GetString());
        await using (var connection = await service.Database.OpenConnectionAsync(Token))
        {
            await using var command = connection.CreateCommand();
            command.CommandText = "DELETE FROM secrets WHERE project_id = $1";
            command.Parameters.Add(new() { Value = project.Id });
            await command.ExecuteNonQueryAsync(Token);
        }

        await project.PublishAsync("a");
        var run = await project.EndedRunAsync("mine");

        Assert.Equal("unknown_secret", run.GetProperty("error").GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("""{"id":"a","uses":"set","with":{"x":"${secrets.crm}"}}""", "/steps/0/with/x", "unknown_name")]
    [InlineData("""{"id":"a","uses":"set","if":"secrets.crm == ''","with":{}}""", "/steps/0/if", "unknown_name")]
    [InlineData(
        """{"id":"a","uses":"emit","with":{"type":"b","data":"${secrets.crm}"}}""",
        "/steps/0/with/data",
        "unknown_name"
    )]
    [InlineData(
        """{"id":"a","uses":"job","with":{"kind":"noop","args":{"x":"${secrets.crm}"}}}""",
        "/steps/0/with/args/x",
        "unknown_name"
    )]
    [InlineData(
        """{"id":"a","uses":"http","with":{"method":"GET","url":"https://a.example/${secrets.crn}"}}""",
        "/steps/0/with/url",
        "unknown_member"
    )]
    [InlineData(
        """{"id":"a","uses":"http","with":{"method":"GET","url":"https://a.example/${secrets[event.type]}"}}""",
        "/steps/0/with/url",
        "named_only"
    )]
    [InlineData(
        """{"id":"a","uses":"http","with":{"method":"POST","url":"https://a.example","body":"${secrets}"}}""",
        "/steps/0/with/body",
        "named_only"
    )]
    [InlineData(
        """{"id":"a","uses":"http","with":{"method":"FETCH","url":"https://a.example"}}""",
        "/steps/0/with/method",
        "unknown_word"
    )]
    [InlineData("""{"id":"a","uses":"http","with":{"method":"GET"}}""", "/steps/0/with/url", "required")]
    [InlineData(
        """{"id":"a","uses":"http","with":{"method":"GET","url":"https://a.example","path":"/x"}}""",
        "/steps/0/with/connection",
        "required"
    )]
    [InlineData(
        """{"id":"a","uses":"http","with":{"method":"GET","connection":"nobody","path":"/x"}}""",
        "/steps/0/with/connection",
        "unknown_connection"
    )]
    [InlineData(
        """{"id":"a","uses":"http","with":{"method":"GET","connection":"${event.data.c}","path":"/x"}}""",
        "/steps/0/with/connection",
        "invalid"
    )]
    [InlineData(
        """{"id":"a","uses":"http","with":{"method":"GET","url":"http://169.254.169.254/latest"}}""",
        "/steps/0/with/url",
        "address_not_allowed"
    )]
    [InlineData(
        """{"id":"a","uses":"http","with":{"method":"GET","url":"https://a.example","accept":[99]}}""",
        "/steps/0/with/accept",
        "wrong_type"
    )]
    [InlineData(
        """{"id":"a","uses":"http","with":{"method":"GET","url":"https://a.example","timeout_seconds":0}}""",
        "/steps/0/with/timeout_seconds",
        "out_of_range"
    )]
    [InlineData(
        """{"id":"a","uses":"notify","with":{"connection":"nobody","text":"x"}}""",
        "/steps/0/with/connection",
        "unknown_connection"
    )]
    [InlineData("""{"id":"a","uses":"notify","with":{"connection":"x"}}""", "/steps/0/with/text", "required")]
    public async Task A_fault_is_told_when_it_is_saved(string step, string pointer, string code)
    {
        var project = await service.NewProjectAsync();
        await PutSecretAsync(project, "crm", "value");

        var (status, body) = await project.CallAsync(
            HttpMethod.Post,
            "/v1/automations",
            $$$"""{"name":"faulty","on":{"type":["a"]},"steps":[{{{step}}}]}"""
        );

        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        var errors = body.GetProperty("errors").EnumerateArray().ToArray();
        Assert.Contains(
            errors,
            error =>
                (error.GetProperty("pointer").GetString(), error.GetProperty("code").GetString()) == (pointer, code)
        );
    }

    [Fact]
    public async Task Who_uses_a_secret_where_it_may_not_stand_is_told_where_it_may()
    {
        var project = await service.NewProjectAsync();

        var (_, body) = await project.CallAsync(
            HttpMethod.Post,
            "/v1/automations",
            """{"name":"faulty","on":{"type":["a"]},"steps":[{"id":"a","uses":"set","with":{"x":"${secrets.crm}"}}]}"""
        );

        Assert.EndsWith("Secrets stand only in the with of http and notify.", body.GetProperty("detail").GetString());
    }

    [Theory]
    [InlineData("http://169.254.169.254/", "address_not_allowed")]
    [InlineData("http://[::ffff:10.0.0.1]/", "address_not_allowed")]
    [InlineData("ftp://127.0.0.1/", "url_scheme_not_allowed")]
    [InlineData("no url at all", "url_invalid")]
    public async Task What_an_expression_leads_to_is_judged_when_it_is_sent(string url, string code)
    {
        var (run, _) = await RunAsync(
            """{"id":"call","uses":"http","with":{"method":"GET","url":"${event.data.url}"}}""",
            JsonSerializer.Serialize(new { url })
        );

        Assert.Equal("failed", run.State());
        Assert.Equal(code, run.GetProperty("error").GetProperty("code").GetString());
    }

    private async Task<(JsonElement Run, TestProject Project)> RunAsync(string steps, string data = "{}")
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync($$$"""{"name":"mine","on":{"type":["a"]},"steps":[{{{steps}}}]}""");
        await project.PublishAsync("a", data);
        return (await project.EndedRunAsync("mine"), project);
    }

    private static async Task PutSecretAsync(TestProject project, string name, string value)
    {
        using var content = new StringContent(JsonSerializer.Serialize(new { value }), null, "application/json");
        using var answer = await project.Http.PutAsync(
            new Uri($"/v1/secrets/{name}", UriKind.Relative),
            content,
            Token
        );
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    private static IResult Echo(string form, string secret) =>
        form switch
        {
            "cut" => Results.Text(new string('.', 490) + secret, statusCode: 400),
            "bytes" => Results.Bytes([255, .. Encoding.UTF8.GetBytes(secret), 0]),
            "json" => Results.Text(
                JsonEncodedText.Encode(secret, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString(),
                statusCode: 400
            ),
            "unicode" => Results.Json(new { secret }, JsonSerializerOptions.Default, statusCode: 400),
            "query" => Results.Text(Uri.EscapeDataString(secret), statusCode: 400),
            _ => Results.Text(WebUtility.UrlEncode(secret), statusCode: 400),
        };

    private sealed class WithHeader(int status, string name, string value) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = status;
            httpContext.Response.Headers[name] = value;
            return Task.CompletedTask;
        }
    }
}
