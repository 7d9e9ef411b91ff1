using System.Net;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class CreateAutomationTests(ServiceFixture service)
{
    [Fact]
    public async Task A_saved_automation_is_active_at_version_1()
    {
        var project = await service.NewProjectAsync();

        var saved = await project.SaveAsync(
            """
            {"name":"triage","on":{"type":["ticket.created"]},"if":"size(event.data.text) > 10",
             "steps":[{"id":"kind","uses":"set","with":{"text":"${event.data.text}"}}]}
            """
        );

        Assert.NotEqual(Guid.Empty, saved.GetProperty("id").GetGuid());
        Assert.Equal("triage", saved.GetProperty("name").GetString());
        Assert.Equal(1, saved.GetProperty("version").GetInt32());
        Assert.Equal("active", saved.State());
        Assert.Empty(saved.GetProperty("warnings").EnumerateArray());
    }

    [Fact]
    public async Task A_name_that_is_taken_is_409()
    {
        var project = await service.NewProjectAsync();
        const string Document = """{"name":"twice","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{}}]}""";
        await project.SaveAsync(Document);

        var (status, body) = await project.CallAsync(HttpMethod.Post, "/v1/automations", Document);

        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Equal("name_taken", body.GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_viewer_may_not_save()
    {
        var project = await service.NewProjectAsync("viewer");

        var (status, _) = await project.CallAsync(HttpMethod.Post, "/v1/automations", "{}");

        Assert.Equal(HttpStatusCode.Forbidden, status);
    }

    [Theory]
    [InlineData("""[{"id":"s","uses":"set","with":{},"then":1}]""", 400, "/steps/0/then", "unknown_member")]
    [InlineData("""[]""", 422, "/steps", "out_of_range")]
    [InlineData("""[{"uses":"set","with":{}}]""", 422, "/steps/0/id", "required")]
    [InlineData("""[{"id":"S","uses":"set","with":{}}]""", 422, "/steps/0/id", "invalid")]
    [InlineData(
        """[{"id":"s","uses":"set","with":{}},{"id":"s","uses":"set","with":{}}]""",
        422,
        "/steps/1/id",
        "duplicate"
    )]
    [InlineData("""[{"id":"s","uses":"fly","with":{}}]""", 422, "/steps/0/uses", "invalid")]
    [InlineData("""[{"id":"s","uses":"set"}]""", 422, "/steps/0/with", "required")]
    [InlineData("""[{"id":"s","uses":"set","with":[]}]""", 422, "/steps/0/with", "wrong_type")]
    [InlineData("""[{"id":"s","uses":"emit","with":{}}]""", 422, "/steps/0/with/type", "required")]
    [InlineData("""[{"id":"s","uses":"emit","with":{"type":""}}]""", 422, "/steps/0/with/type", "invalid")]
    [InlineData("""[{"id":"s","uses":"emit","with":{"type":"a","to":1}}]""", 422, "/steps/0/with/to", "unknown_member")]
    [InlineData("""[{"id":"s","uses":"job","with":{"kind":"fly"}}]""", 422, "/steps/0/with/kind", "unknown_kind")]
    [InlineData(
        """[{"id":"s","uses":"job","with":{"kind":"automations.run","args":{}}}]""",
        422,
        "/steps/0/with/kind",
        "unknown_kind"
    )]
    [InlineData(
        """[{"id":"s","uses":"job","with":{"kind":"noop","queue":"nowhere"}}]""",
        422,
        "/steps/0/with/queue",
        "unknown_queue"
    )]
    [InlineData(
        """[{"id":"s","uses":"job","with":{"kind":"noop","wait":"yes"}}]""",
        422,
        "/steps/0/with/wait",
        "wrong_type"
    )]
    [InlineData(
        """[{"id":"s","uses":"job","with":{"kind":"noop","max_attempts":0}}]""",
        422,
        "/steps/0/with/max_attempts",
        "out_of_range"
    )]
    public async Task A_fault_is_told_with_its_place(string steps, int status, string pointer, string code)
    {
        var project = await service.NewProjectAsync();

        var (answered, body) = await project.CallAsync(
            HttpMethod.Post,
            "/v1/automations",
            $$$"""{"name":"faulty","on":{"type":["a"]},"steps":{{{steps}}}}"""
        );

        Assert.Equal(status, (int)answered);
        var error = Assert.Single(body.GetProperty("errors").EnumerateArray());
        Assert.Equal(pointer, error.GetProperty("pointer").GetString());
        Assert.Equal(code, error.GetProperty("code").GetString());
        var list = await project.GetAsync("/v1/automations");
        Assert.Empty(list.GetProperty("items").EnumerateArray());
    }

    [Theory]
    [InlineData("event.data.n +", "{}", "/if", "syntax", 1)]
    [InlineData("1 + 1", "{}", "/if", "type_mismatch", 1)]
    [InlineData("evnt.data.n == 1", "{}", "/if", "unknown_name", 1)]
    [InlineData("true &&\n  sise(event.data) > 1", "{}", "/if", "unknown_function", 2)]
    [InlineData("true", """{"a":["x ${nope}"]}""", "/steps/1/with/a/0", "unknown_name", 1)]
    [InlineData("true", """{"a":"${steps.second.output}"}""", "/steps/1/with/a", "unknown_member", 1)]
    public async Task An_expression_that_does_not_compile_is_told_with_line_and_column(
        string condition,
        string with,
        string pointer,
        string code,
        int line
    )
    {
        var project = await service.NewProjectAsync();
        var document = $$$"""
            {"name":"faulty","on":{"type":["a"]},"if":{{{JsonSerializer.Serialize(condition)}}},"steps":[
                {"id":"first","uses":"set","with":{}},{"id":"second","uses":"set","with":{{{with}}}}]}
            """;

        var (status, body) = await project.CallAsync(HttpMethod.Post, "/v1/automations", document);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Equal("expression_error", body.GetProperty("code").GetString());
        var error = Assert.Single(body.GetProperty("errors").EnumerateArray());
        Assert.Equal(pointer, error.GetProperty("pointer").GetString());
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.Equal(line, error.GetProperty("line").GetInt32());
        Assert.True(error.GetProperty("column").GetInt32() >= 1);
        Assert.StartsWith($"Line {line}, column ", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_fault_is_told_at_once()
    {
        var project = await service.NewProjectAsync();

        var (status, body) = await project.CallAsync(
            HttpMethod.Post,
            "/v1/automations",
            """{"name":"Bad Name","on":{"type":["a","*b"]},"if":"1 +","steps":[{"id":"s","uses":"set","with":{"a":"${x}"}}]}"""
        );

        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Equal("invalid", body.GetProperty("code").GetString());
        Assert.Equal(
            ["/name", "/on/type/1", "/if", "/steps/0/with/a"],
            body.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("pointer").GetString())
        );
    }

    [Fact]
    public async Task Automations_that_may_start_each_other_are_saved_with_a_warning()
    {
        var project = await service.NewProjectAsync();
        var ping = await project.SaveAsync(
            """{"name":"ping","on":{"type":["pong.made"]},"steps":[{"id":"s","uses":"emit","with":{"type":"ping.made"}}]}"""
        );
        Assert.Empty(ping.GetProperty("warnings").EnumerateArray());

        var pong = await project.SaveAsync(
            """{"name":"pong","on":{"type":["ping.*"]},"steps":[{"id":"s","uses":"emit","with":{"type":"pong.${event.data.what}"}}]}"""
        );

        var warning = Assert.Single(pong.GetProperty("warnings").EnumerateArray());
        Assert.Equal("possible_cycle", warning.GetProperty("code").GetString());
        Assert.Equal(
            ["pong", "ping", "pong"],
            warning.GetProperty("automations").EnumerateArray().Select(name => name.GetString())
        );
    }
}
