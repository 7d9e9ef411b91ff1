using System.Net;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class CreateQueueTests(ServiceFixture service)
{
    [Fact]
    public async Task A_queue_is_made_for_workers_with_the_usual_promises()
    {
        var http = (await service.NewProjectAsync()).Http;

        var made = (await http.PostAsync("/v1/queues", """{"name":"refunds"}""")).Expect(HttpStatusCode.Created);

        Assert.Equal($"/v1/queues/{made.Id}", made.Location);
        Assert.Equal(
            """
            "name":"refunds","built_in":false,"served_by":"workers","paused_at":null,"max_running":null,"rate":null,"lane_limit":null,"lane_ordered":false,"weight":10,"max_depth":null,"lease_seconds":30,"max_run_seconds":null,"retry":{"max_attempts":20,"strategy":"exponential","initial_seconds":1,"max_seconds":3600,"delays_seconds":null,"jitter":0.2},"revision":1
            """,
            made.Text[(made.Text.IndexOf(',') + 1)..made.Text.IndexOf(",\"created_at\"", StringComparison.Ordinal)]
        );
        Assert.Equal(made.Text, (await http.CallAsync("GET", "/v1/queues/refunds")).Text);
    }

    [Fact]
    public async Task What_is_written_is_what_is_shown()
    {
        var http = (await service.NewProjectAsync()).Http;
        const string Document =
            """{"name":"q","served_by":"service","max_running":7,"rate":{"count":100,"seconds":10,"burst":3},"lane_limit":1,"lane_ordered":true,"weight":30,"max_depth":5000,"lease_seconds":60,"max_run_seconds":900,"retry":{"max_attempts":3}}""";

        var made = (await http.PostAsync("/v1/queues", Document)).Expect(HttpStatusCode.Created);

        foreach (var member in JsonElement.Parse(Document).EnumerateObject().Where(member => member.Name != "retry"))
        {
            Assert.Equal(member.Value.GetRawText(), made.Body.GetProperty(member.Name).GetRawText());
        }

        Assert.Equal(3, made.Body.GetProperty("retry").GetProperty("max_attempts").GetInt32());
    }

    [Fact]
    public async Task A_job_on_it_is_retried_as_the_queue_says()
    {
        var http = (await service.NewProjectAsync()).Http;
        await http.PostAsync("/v1/queues", """{"name":"q","retry":{"max_attempts":3}}""");

        var job = (await http.PostAsync("/v1/jobs", """{"queue":"q","kind":"theirs"}""")).Expect(
            HttpStatusCode.Created
        );

        var shown = await http.CallAsync("GET", $"/v1/jobs/{job.Id}");
        Assert.Equal(3, shown.Body.GetProperty("max_attempts").GetInt32());
    }

    [Theory]
    [InlineData("""{"name":"No Slug"}""", "/name", "invalid_name")]
    [InlineData("""{"name":"q","served_by":"nobody"}""", "/served_by", "unknown_word")]
    [InlineData("""{"name":"webhooks","served_by":"workers"}""", "/served_by", "built_in")]
    [InlineData("""{"name":"q","max_running":0}""", "/max_running", "out_of_range")]
    [InlineData("""{"name":"q","rate":{"count":1}}""", "/rate/seconds", "required")]
    [InlineData("""{"name":"q","rate":{"seconds":1}}""", "/rate/count", "required")]
    [InlineData("""{"name":"q","rate":{"count":1,"seconds":86401}}""", "/rate/seconds", "out_of_range")]
    [InlineData("""{"name":"q","rate":{"count":1,"seconds":1,"burst":0}}""", "/rate/burst", "out_of_range")]
    [InlineData("""{"name":"q","lane_limit":1001}""", "/lane_limit", "out_of_range")]
    [InlineData("""{"name":"q","lane_limit":2,"lane_ordered":true}""", "/lane_limit", "not_ordered")]
    [InlineData("""{"name":"q","weight":0}""", "/weight", "out_of_range")]
    [InlineData("""{"name":"q","max_depth":0}""", "/max_depth", "out_of_range")]
    [InlineData("""{"name":"q","lease_seconds":9}""", "/lease_seconds", "out_of_range")]
    [InlineData("""{"name":"q","lease_seconds":901}""", "/lease_seconds", "out_of_range")]
    [InlineData("""{"name":"q","max_run_seconds":604801}""", "/max_run_seconds", "out_of_range")]
    [InlineData("""{"name":"q","retry":{"strategy":"never"}}""", "/retry/strategy", "unknown_word")]
    public async Task What_is_no_queue_is_refused_with_its_place(string document, string pointer, string code)
    {
        var http = (await service.NewProjectAsync()).Http;

        var answer = await http.PostAsync("/v1/queues", document);

        var error = Assert.Single(
            answer.Expect(HttpStatusCode.UnprocessableEntity).Body.GetProperty("errors").EnumerateArray()
        );
        Assert.Equal(
            (pointer, code),
            (error.GetProperty("pointer").GetString(), error.GetProperty("code").GetString())
        );
    }

    [Theory]
    [InlineData("refunds")]
    [InlineData("default")]
    public async Task A_name_is_taken_once_in_a_project(string name)
    {
        var http = (await service.NewProjectAsync()).Http;
        await http.PostAsync("/v1/queues", """{"name":"refunds"}""");

        var answer = await http.PostAsync("/v1/queues", $$"""{"name":"{{name}}"}""");

        Assert.Equal("name_taken", answer.Expect(HttpStatusCode.Conflict).Code);
    }
}
