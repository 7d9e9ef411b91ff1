using Bellhop.Features.Automations;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class ExecuteRunTests(ServiceFixture service)
{
    [Fact]
    public async Task Steps_see_the_event_and_the_steps_before_them()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """
            {"name":"mine","on":{"type":["order.*"]},"if":"event.data.total > 10","steps":[
                {"id":"note","uses":"set","with":{"total":"${event.data.total}","text":"order ${event.subject} of ${event.type}"}},
                {"id":"never","uses":"set","if":"steps.note.output.total > 1000","with":{}},
                {"id":"last","uses":"set","with":{"seen":"${steps.never.output}","was":"${steps.never.state}","by":"${run.automation}"}}]}
            """
        );
        await project.PublishAsync("order.small", """{"total":5}""");
        await project.PublishAsync("order.big", """{"total":12.50}""");

        var run = await project.EndedRunAsync("mine");

        Assert.Equal("succeeded", run.State());
        Assert.Equal(
            """{"total":12.50,"text":"order 42 of order.big"}""",
            run.Step("note").GetProperty("output").GetRawText()
        );
        Assert.Equal("skipped", run.Step("never").State());
        Assert.Equal(
            """{"seen":null,"was":"skipped","by":"mine"}""",
            run.Step("last").GetProperty("output").GetRawText()
        );
    }

    [Fact]
    public async Task A_step_that_fails_fails_the_run_and_names_the_place()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"good","uses":"set","with":{}},
                {"id":"bad","uses":"set","with":{"x":"${event.data.missing.member}"}},
                {"id":"never","uses":"emit","with":{"type":"b"}}]}
            """
        );
        await project.PublishAsync("a");

        var run = await project.EndedRunAsync("mine");

        Assert.Equal("failed", run.State());
        Assert.Equal("bad", run.GetProperty("error").GetProperty("step").GetString());
        Assert.Equal("missing_member", run.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal("/x", run.GetProperty("error").GetProperty("pointer").GetString());
        Assert.Equal(2, run.GetProperty("steps").GetArrayLength());
    }

    [Theory]
    [InlineData("told.*")]
    [InlineData("told..twice")]
    public async Task What_no_event_may_be_called_is_not_emitted(string type)
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """
            {"name":"mine","on":{"type":["a"]},"steps":[{"id":"tell","uses":"emit","with":{"type":"${event.data.type}"}}]}
            """
        );
        await project.PublishAsync("a", $$"""{"type":"{{type}}"}""");

        var run = await project.EndedRunAsync("mine");

        Assert.Equal("failed", run.State());
        Assert.Equal("invalid_event", run.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task An_output_over_256_KiB_fails_its_step()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"big","uses":"set","with":{"a":"${event.data}","b":"${event.data}"}}]}
            """
        );
        await project.PublishAsync("a", $$"""{"text":"{{new string('x', 200_000)}}"}""");

        var run = await project.EndedRunAsync("mine");

        Assert.Equal("output_too_large", run.Step("big").GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_job_is_waited_for_and_its_result_is_the_output()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"first","uses":"set","with":{"n":1}},
                {"id":"work","uses":"job","with":{"kind":"noop","args":{}}},
                {"id":"aside","uses":"job","with":{"kind":"noop","wait":false}},
                {"id":"after","uses":"set","with":{"first":"${steps.first.output.n}","work":"${steps.work.state}"}}]}
            """
        );
        await project.PublishAsync("a");

        var run = await project.EndedRunAsync("mine");

        Assert.Equal("succeeded", run.State());
        Assert.Equal("""{"first":1,"work":"succeeded"}""", run.Step("after").GetProperty("output").GetRawText());
        Assert.NotEqual(Guid.Empty, run.Step("work").GetProperty("job_id").GetGuid());
        Assert.Equal(
            run.Step("aside").GetProperty("job_id").GetGuid(),
            run.Step("aside").GetProperty("output").GetProperty("id").GetGuid()
        );
    }

    [Fact]
    public async Task A_job_that_fails_fails_its_step_and_the_run()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"work","uses":"job","with":{"kind":"sleep","args":{"seconds":"not a number"},"max_attempts":1}},
                {"id":"never","uses":"set","with":{}}]}
            """
        );
        await project.PublishAsync("a");

        var run = await project.EndedRunAsync("mine");

        Assert.Equal("failed", run.State());
        Assert.Equal("failed", run.Step("work").State());
        Assert.Equal("invalid_args", run.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(1, run.GetProperty("steps").GetArrayLength());
    }

    [Fact]
    public async Task An_emitted_event_names_its_run_and_starts_what_it_matches()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """
            {"name":"teller","on":{"type":["a"]},"steps":[
                {"id":"tell","uses":"emit","with":{"type":"told","subject":"${event.subject}","data":{"n":"${event.data.n}"}}}]}
            """
        );
        await project.SaveAsync(
            """{"name":"hearer","on":{"type":["told"]},"steps":[{"id":"s","uses":"set","with":{"e":"${event}"}}]}"""
        );
        await project.PublishAsync("a", """{"n":7}""");

        var run = await project.EndedRunAsync("hearer");
        var teller = await project.EndedRunAsync("teller");
        var heard = run.Step("s").GetProperty("output").GetProperty("e");

        Assert.Equal("automations/teller", heard.GetProperty("source").GetString());
        Assert.Equal($"{teller.GetProperty("id").GetString()}/tell", heard.GetProperty("id").GetString());
        Assert.Equal("42", heard.GetProperty("subject").GetString());
        Assert.Equal(7, heard.GetProperty("data").GetProperty("n").GetInt32());
        Assert.Equal(2, run.GetProperty("depth").GetInt32());
        Assert.Equal(
            run.GetProperty("event_id").GetGuid(),
            teller.Step("tell").GetProperty("output").GetProperty("id").GetGuid()
        );
    }

    [Fact]
    public async Task Two_automations_that_feed_each_other_end_held()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            """{"name":"ping","on":{"type":["pong"]},"steps":[{"id":"s","uses":"emit","with":{"type":"ping"}}]}"""
        );
        await project.SaveAsync(
            """{"name":"pong","on":{"type":["ping"]},"steps":[{"id":"s","uses":"emit","with":{"type":"pong"}}]}"""
        );
        await project.PublishAsync("ping");

        var held = await Eventually.FitAsync(
            () => project.GetAsync("/v1/runs?state=held"),
            list => list.GetProperty("items").GetArrayLength() > 0
        );
        var run = Assert.Single(held.GetProperty("items").EnumerateArray());

        Assert.Equal(9, run.GetProperty("depth").GetInt32());
        Assert.Equal("depth_exceeded", run.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(9, await project.CountAsync("SELECT count(*) FROM runs WHERE project_id = @Id"));
        Assert.Equal(0, await project.CountAsync("SELECT count(*) FROM jobs WHERE project_id = @Id"));
    }

    [Fact]
    public async Task A_carrier_that_lost_its_claim_writes_nothing()
    {
        var project = await service.NewProjectAsync();
        await project.PauseRunsAsync();
        await project.SaveAsync(
            """
            {"name":"mine","on":{"type":["a"]},"steps":[
                {"id":"tell","uses":"emit","with":{"type":"told"}},{"id":"work","uses":"job","with":{"kind":"noop"}}]}
            """
        );
        await project.PublishAsync("a");
        var stale = await project.ClaimCarrierAsync();
        var fresh = await project.ClaimCarrierAsync();

        await AssertLostAsync(project, stale);
        Assert.Equal(1, await project.CountAsync("SELECT count(*) FROM events WHERE project_id = @Id"));
        Assert.Equal(0, await project.CountAsync("SELECT count(*) FROM run_steps WHERE project_id = @Id"));

        var report = await project.SendAsync(new ExecuteRun.Command(fresh));
        Assert.Equal("waiting", report.Unwrap().State);
        await AssertLostAsync(project, fresh);
        await AssertLostAsync(project, stale);
        Assert.Equal(2, await project.CountAsync("SELECT count(*) FROM events WHERE project_id = @Id"));
        Assert.Equal(2, await project.CountAsync("SELECT count(*) FROM run_steps WHERE project_id = @Id"));
    }

    [Fact]
    public async Task A_carrier_that_gives_up_leaves_a_held_run()
    {
        var project = await service.NewProjectAsync();
        await project.PauseRunsAsync();
        await project.SaveAsync("""{"name":"mine","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{}}]}""");
        await project.PublishAsync("a");
        var job = await project.ClaimCarrierAsync();

        await using (var connection = await project.Database.OpenConnectionAsync(TestContext.Current.CancellationToken))
        {
            await new ExecuteRun.Consumer().GaveUpAsync(
                connection,
                job,
                """{"code":"exception"}""",
                TestContext.Current.CancellationToken
            );
        }

        var run = await project.EndedRunAsync("mine");
        Assert.Equal("held", run.State());
        Assert.Equal("engine_error", run.GetProperty("error").GetProperty("code").GetString());
    }

    private static async Task AssertLostAsync(TestProject project, ClaimedJob job)
    {
        var lost = await Assert.ThrowsAsync<PostgresException>(() => project.SendAsync(new ExecuteRun.Command(job)));
        Assert.Equal(JobQueue.LeaseLost, lost.SqlState);
    }
}
