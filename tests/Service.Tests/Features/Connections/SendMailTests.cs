using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Connections;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class SendMailTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_mail_is_handed_to_the_server_of_its_connection()
    {
        await using var server = await MailServer.StartAsync("off");
        var project = await service.NewProjectAsync();
        await ConnectAsync(project, server.Port);

        var job = await EndedAsync(
            project,
            """{"connection":"mail","to":["Änne <a@x.example>","b@x.example"],"subject":"Grüße","text":"two\nlines\n."}"""
        );

        Assert.Equal("succeeded", job.GetProperty("state").GetString());
        var message = Assert.Single(server.Messages);
        Assert.Equal("""["a@x.example","b@x.example"]""", message.GetProperty("to").GetRawText());
        var id = $"{job.GetProperty("id").GetGuid()}@shop.example";
        Assert.Equal(id, job.GetProperty("result").GetProperty("message_id").GetString());
        Assert.Contains(
            $"Message-Id: <{id}>",
            message.GetProperty("data").GetString(),
            StringComparison.OrdinalIgnoreCase
        );
    }

    [Fact]
    public async Task An_automation_mails_what_happened()
    {
        await using var server = await MailServer.StartAsync("off");
        var project = await service.NewProjectAsync();
        await ConnectAsync(project, server.Port);
        await PostAsync(
            project,
            "/v1/automations",
            """
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"bad","uses":"http","with":{"method":"GET","url":"http://127.0.0.1:1/"},"retry":{"max_attempts":1},"on_error":{"steps":[
                    {"id":"tell","uses":"notify","with":{"connection":"mail","to":"${event.data.who}","subject":"It failed","text":"${steps.bad.error.code}"}}]}}]}
            """
        );
        await PostAsync(project, "/v1/events", """{"type":"a","source":"test","data":{"who":"ops@x.example"}}""");

        var messages = await Eventually.FitAsync(() => Task.FromResult(server.Messages), found => found.Count == 1);

        var message = messages[0];
        Assert.Contains("connect_failed", message.GetProperty("data").GetString());
        var runs = await Eventually.FitAsync(
            () => project.Http.GetFromJsonAsync<JsonElement>("/v1/runs", Token),
            list => list.GetProperty("items")[0].GetProperty("state").GetString() == "partial"
        );
        var run = runs.GetProperty("items")[0].GetProperty("id").GetGuid();
        Assert.Contains($"<{run}/tell@shop.example>", message.GetProperty("data").GetString());
    }

    [Fact]
    public async Task A_chat_gets_the_text_at_the_base_URL()
    {
        await using var chat = await Receiver.StartAsync();
        var project = await service.NewProjectAsync();
        await PostAsync(
            project,
            "/v1/connections",
            $$$"""{"name":"chat","kind":"http","config":{"base_url":"{{{chat.Url}}}"} }"""
        );

        var job = await EndedAsync(project, """{"connection":"chat","subject":"Order 7","text":"is late"}""");

        Assert.Equal("succeeded", job.GetProperty("state").GetString());
        var sent = Assert.Single(chat.Received);
        Assert.Equal(("POST", "/hook"), (sent.Method, sent.Path));
        Assert.Equal("""{"text":"Order 7\nis late"}""", sent.Body);
    }

    [Theory]
    [InlineData("""{"connection":"nobody","to":"a@x.example","subject":"s","text":"t"}""", "unknown_connection")]
    [InlineData("""{"connection":"mail","to":"a@x.example","subject":"s"}""", "invalid_args")]
    [InlineData("""{"connection":"mail","to":[],"subject":"s","text":"t"}""", "invalid_args")]
    [InlineData("""{"connection":"mail","to":7,"subject":"s","text":"t"}""", "invalid_args")]
    [InlineData(
        """{"connection":"mail","to":"a@x.example","subject":"s\r\nBcc: b@x.example","text":"t"}""",
        "invalid_args"
    )]
    [InlineData("""{"connection":"mail","subject":"s","text":"t"}""", "mail_refused")]
    [InlineData("""{"connection":"mail","to":"a@x.example","text":"t"}""", "mail_refused")]
    [InlineData(
        """{"connection":"mail","to":"a@x.example\r\nBcc: b@x.example","subject":"s","text":"t"}""",
        "mail_refused"
    )]
    [InlineData("""{"connection":"db","to":"a@x.example","subject":"s","text":"t"}""", "wrong_connection_kind")]
    public async Task What_cannot_be_sent_fails_at_once(string args, string code)
    {
        var project = await service.NewProjectAsync();
        await ConnectAsync(project, 1);
        await PostAsync(
            project,
            "/v1/connections",
            """{"name":"db","kind":"postgresql","config":{"host":"127.0.0.1","port":9,"database":"shop","user":"reader","tls":"off"},"secret":{"value":"s"}}"""
        );

        var job = await EndedAsync(project, args);

        Assert.Equal("failed", job.GetProperty("state").GetString());
        Assert.Equal(code, job.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task What_is_cut_shows_no_part_of_a_secret()
    {
        var secret = $"kanarie-{Guid.NewGuid():N}-{Guid.NewGuid():N}-{Guid.NewGuid():N}";
        var project = await service.NewProjectAsync();
        await ConnectAsync(project, 1);
        using var value = JsonContent.Create(new { value = secret });
        using var put = await project.Http.PutAsync(new Uri("/v1/secrets/k", UriKind.Relative), value, Token);
        await PostAsync(
            project,
            "/v1/automations",
            """{"name":"mine","on":{"type":["a"]},"steps":[{"id":"tell","uses":"notify","with":{"connection":"mail","to":"somebody ${secrets.k}","subject":"s","text":"t"} }]}"""
        );
        await PostAsync(project, "/v1/events", """{"type":"a","source":"test"}""");

        var runs = await Eventually.FitAsync(
            () => project.Http.GetFromJsonAsync<JsonElement>("/v1/runs?state=failed", Token),
            list => list.GetProperty("items").GetArrayLength() == 1
        );

        var error = runs.GetProperty("items")[0].GetProperty("error").GetRawText();
        Assert.Contains("mail_refused", error);
        Assert.DoesNotContain("kanarie", error);
    }

    [Theory]
    [InlineData("no secret at all…", "no secret at all…")]
    [InlineData("it is swordfish, it is sword…", "it is ***, it is ***…")]
    [InlineData("it is s…", "it is ***…")]
    [InlineData("it is sword", "it is sword")]
    public void A_part_of_a_secret_where_a_text_was_cut_is_masked(string text, string expected) =>
        Assert.Equal(expected, new Mask(["swordfish"]).ApplyToCut(text));

    private static Task<JsonElement> ConnectAsync(TestProject project, int port) =>
        PostAsync(
            project,
            "/v1/connections",
            $$$"""{"name":"mail","kind":"smtp","config":{"host":"127.0.0.1","port":{{{port}}},"user":"{{{MailServer.User}}}","from":"Shop <shop@shop.example>","tls":"off"},"secret":{"value":"{{{MailServer.Password}}}"} }"""
        );

    private static async Task<JsonElement> PostAsync(TestProject project, string path, string body)
    {
        using var content = new StringContent(body, null, "application/json");
        using var answer = await project.Http.PostAsync(new Uri(path, UriKind.Relative), content, Token);
        var shown = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.True(answer.StatusCode is HttpStatusCode.Created or HttpStatusCode.Accepted, $"{shown}");
        return shown;
    }

    private static async Task<JsonElement> EndedAsync(TestProject project, string args)
    {
        var made = await PostAsync(project, "/v1/jobs", $$$"""{"kind":"mail.send","args":{{{args}}} }""");
        return await Eventually.FitAsync(
            () => project.Http.GetFromJsonAsync<JsonElement>($"/v1/jobs/{made.GetProperty("id").GetGuid()}", Token),
            job => job.GetProperty("state").GetString() is "succeeded" or "failed"
        );
    }
}
