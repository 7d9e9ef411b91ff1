using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class OnErrorTests(ServiceFixture service)
{
    private const string Failing = """ "uses":"set","with":{"x":"${event.data.missing.member}"} """;

    [Fact]
    public async Task A_run_goes_on_past_a_failure_it_was_told_to_pass_and_is_partial()
    {
        var run = await RunAsync(
            $$$"""
            {"id":"bad",{{{Failing}}},"on_error":"continue"},
            {"id":"after","uses":"set","with":{"state":"${steps.bad.state}","code":"${steps.bad.error.code}","output":"${steps.bad.output}"}}
            """
        );

        Assert.Equal("partial", run.State());
        Assert.Equal(JsonValueKind.Null, run.GetProperty("error").ValueKind);
        Assert.Equal("failed", run.Step("bad").State());
        Assert.Equal(
            """{"state":"failed","code":"missing_member","output":null}""",
            run.Step("after").GetProperty("output").GetRawText()
        );
    }

    [Fact]
    public async Task Steps_for_a_failure_are_taken_where_it_came_and_then_the_run_goes_on()
    {
        var run = await RunAsync(
            $$$"""
            {"id":"bad",{{{Failing}}},"on_error":{"steps":[
                {"id":"note","uses":"set","with":{"message":"${steps.bad.error.message}"}},
                {"id":"no","uses":"set","if":"false","with":{}}]}},
            {"id":"good","uses":"set","with":{},"on_error":{"steps":[{"id":"never","uses":"set","with":{}}]}},
            {"id":"after","uses":"set","with":{"note":"${steps.note.state}","never":"${steps.never.state}"}}
            """
        );

        Assert.Equal("partial", run.State());
        Assert.Equal(
            ["bad", "note", "no", "good", "after"],
            run.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("id").GetString())
        );
        Assert.Contains("missing", run.Step("note").GetProperty("output").GetProperty("message").GetString());
        Assert.Equal(
            """{"note":"succeeded","never":"skipped"}""",
            run.Step("after").GetProperty("output").GetRawText()
        );
    }

    [Fact]
    public async Task A_failure_among_the_steps_for_a_failure_fails_the_run()
    {
        var run = await RunAsync(
            $$$"""
            {"id":"bad",{{{Failing}}},"on_error":{"steps":[{"id":"worse",{{{Failing}}}}]}},
            {"id":"after","uses":"set","with":{}}
            """
        );

        Assert.Equal("failed", run.State());
        Assert.Equal("worse", run.GetProperty("error").GetProperty("step").GetString());
        Assert.Equal(2, run.GetProperty("steps").GetArrayLength());
    }

    [Fact]
    public async Task Fail_is_what_happens_where_nothing_is_said()
    {
        var run = await RunAsync(
            $$$"""{"id":"bad",{{{Failing}}},"on_error":"fail"},{"id":"after","uses":"set","with":{}}"""
        );

        Assert.Equal("failed", run.State());
    }

    [Fact]
    public async Task A_job_that_fails_is_passed_too_across_the_wait()
    {
        var run = await RunAsync(
            """
            {"id":"work","uses":"job","with":{"kind":"sleep","args":{"seconds":"no number"}},"on_error":{"steps":[
                {"id":"second","uses":"job","with":{"kind":"noop"}}]}},
            {"id":"after","uses":"set","with":{"work":"${steps.work.error.code}","second":"${steps.second.state}"}}
            """
        );

        Assert.Equal("partial", run.State());
        Assert.Equal(
            """{"work":"invalid_args","second":"succeeded"}""",
            run.Step("after").GetProperty("output").GetRawText()
        );
    }

    [Fact]
    public async Task The_retries_of_a_job_are_those_of_its_step()
    {
        var run = await RunAsync(
            """
            {"id":"work","uses":"job","with":{"kind":"noop","wait":false},
             "retry":{"max_attempts":7,"strategy":"list","delays_seconds":[1,2]}}
            """
        );

        var id = run.Step("work").GetProperty("job_id").GetGuid();
        await using var connection = await service.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var job = await _project!.GetAsync($"/v1/jobs/{id}");
        Assert.Equal(7, job.GetProperty("max_attempts").GetInt32());
    }

    [Theory]
    [InlineData("\"on_error\":\"ignore\"", 422, "/steps/0/on_error", "invalid")]
    [InlineData("\"on_error\":{\"steps\":[]}", 422, "/steps/0/on_error/steps", "out_of_range")]
    [InlineData(
        "\"on_error\":{\"steps\":[{\"id\":\"a\",\"uses\":\"set\",\"with\":{}}]}",
        422,
        "/steps/0/on_error/steps/0/id",
        "duplicate"
    )]
    [InlineData("\"on_error\":{\"step\":[]}", 422, "/steps/0/on_error/step", "unknown_member")]
    [InlineData("\"on_error\":5", 422, "/steps/0/on_error", "invalid")]
    [InlineData("\"retry\":{\"max_attempts\":0}", 422, "/steps/0/retry/max_attempts", "out_of_range")]
    [InlineData("\"retry\":{\"strategy\":\"never\"}", 422, "/steps/0/retry/strategy", "unknown_word")]
    public async Task A_fault_is_told_with_its_place(string member, int status, string pointer, string code)
    {
        var project = await service.NewProjectAsync();

        var (answered, body) = await project.CallAsync(
            HttpMethod.Post,
            "/v1/automations",
            $$$"""{"name":"faulty","on":{"type":["a"]},"steps":[{"id":"a","uses":"set","with":{},{{{member}}}}]}"""
        );

        Assert.True(status == (int)answered, body.ToString());
        var error = Assert.Single(body.GetProperty("errors").EnumerateArray());
        Assert.Equal(
            (pointer, code),
            (error.GetProperty("pointer").GetString(), error.GetProperty("code").GetString())
        );
    }

    [Fact]
    public async Task What_was_saved_is_shown_as_it_was_written()
    {
        var project = await service.NewProjectAsync();
        const string Steps =
            """[{"id":"a","uses":"set","with":{},"on_error":{"steps":[{"id":"b","uses":"set","with":{}}]}},{"id":"c","uses":"set","with":{},"on_error":"continue"}]""";
        await project.SaveAsync($$$"""{"name":"mine","on":{"type":["a"]},"steps":{{{Steps}}}}""");

        var shown = await project.GetAsync("/v1/automations/mine");

        Assert.Equal(Steps, shown.GetProperty("definition").GetProperty("steps").GetRawText());
    }

    private TestProject? _project;

    private async Task<JsonElement> RunAsync(string steps)
    {
        _project = await service.NewProjectAsync();
        await _project.SaveAsync($$$"""{"name":"mine","on":{"type":["a"]},"steps":[{{{steps}}}]}""");
        await _project.PublishAsync("a");
        return await _project.EndedRunAsync("mine");
    }
}
