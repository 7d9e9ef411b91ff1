using System.Net;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class PatchQueueTests(ServiceFixture service)
{
    [Fact]
    public async Task Who_serves_it_changes_only_while_it_has_no_unfinished_jobs()
    {
        var project = await service.NewProjectAsync();
        var http = project.Http;
        await http.PostAsync("/v1/queues", """{"name":"q"}""");
        (await http.PostAsync("/v1/queues/q/pause", "")).Expect(HttpStatusCode.OK);
        var job = (await http.PostAsync("/v1/jobs", """{"queue":"q","kind":"theirs"}""")).Expect(
            HttpStatusCode.Created
        );

        var full = await http.ChangeAsync("PATCH", "/v1/queues/q", """{"served_by":"service"}""", "*");
        var same = await http.ChangeAsync("PATCH", "/v1/queues/q", """{"served_by":"workers","weight":2}""", "*");
        await TestJobs.ExecuteAsync(
            service.Database,
            "DELETE FROM jobs WHERE project_id = @Project AND id = @Id",
            new { Project = project.Id, job.Id }
        );
        var empty = await http.ChangeAsync("PATCH", "/v1/queues/q", """{"served_by":"service"}""", "*");

        Assert.Equal("queue_not_empty", full.Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal("/served_by", full.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
        same.Expect(HttpStatusCode.OK);
        Assert.Equal("service", empty.Expect(HttpStatusCode.OK).Body.GetProperty("served_by").GetString());
    }

    [Fact]
    public async Task Lanes_are_ordered_one_at_a_time()
    {
        var http = (await service.NewProjectAsync()).Http;
        await http.PostAsync("/v1/queues", """{"name":"q","lane_ordered":true}""");

        var wider = await http.ChangeAsync("PATCH", "/v1/queues/q", """{"lane_limit":3}""", "*");
        var both = await http.ChangeAsync("PATCH", "/v1/queues/q", """{"lane_limit":3,"lane_ordered":false}""", "*");

        Assert.Equal(
            "/lane_limit",
            wider
                .Expect(HttpStatusCode.UnprocessableEntity)
                .Body.GetProperty("errors")[0]
                .GetProperty("pointer")
                .GetString()
        );
        Assert.Equal(3, both.Expect(HttpStatusCode.OK).Body.GetProperty("lane_limit").GetInt32());
    }

    [Fact]
    public async Task A_new_rate_waits_for_the_old_one_no_longer_than_it_says()
    {
        var (http, worker) = await StartOneOfTwoAsync();

        await http.ChangeAsync("PATCH", "/v1/queues/q", Rate(1_000_000, 1, 1_000_000), "*");

        Assert.Single(await worker.ClaimAsync(wait: 20));
    }

    [Fact]
    public async Task Who_sets_the_same_rate_or_one_that_is_used_up_is_given_no_start_by_that()
    {
        var (http, worker) = await StartOneOfTwoAsync();

        await http.ChangeAsync("PATCH", "/v1/queues/q", Rate(1, 86_400, 1), "*");
        Assert.Empty(await worker.ClaimAsync());
        await http.ChangeAsync("PATCH", "/v1/queues/q", Rate(2, 86_400, 1), "*");
        Assert.Empty(await worker.ClaimAsync());
    }

    [Fact]
    public async Task Of_a_rate_that_is_taken_away_nothing_is_kept()
    {
        var (http, worker) = await StartOneOfTwoAsync();

        await http.ChangeAsync("PATCH", "/v1/queues/q", """{"rate":null}""", "*");
        await http.ChangeAsync("PATCH", "/v1/queues/q", Rate(1, 86_400, 1), "*");

        Assert.Single(await worker.ClaimAsync(wait: 20));
    }

    [Fact]
    public async Task A_new_rate_of_a_queue_that_every_project_has_holds_too()
    {
        var project = await service.NewProjectAsync();
        await project.Http.ChangeAsync("PATCH", "/v1/queues/default", Rate(1, 86_400, 1), "*");
        (await project.Http.PostAsync("/v1/jobs", """{"kind":"noop"}""")).Expect(HttpStatusCode.Created);
        await Eventually.BeTrueAsync(
            () =>
                TestJobs.QueryAsync<bool>(
                    service.Database,
                    "SELECT EXISTS (SELECT FROM queue_rates WHERE project_id = @Id)",
                    new { project.Id }
                ),
            "one is started"
        );
        var next = (await project.Http.PostAsync("/v1/jobs", """{"kind":"noop"}""")).Expect(HttpStatusCode.Created).Id;

        await project.Http.ChangeAsync("PATCH", "/v1/queues/default", Rate(1_000_000, 1, 1_000_000), "*");

        await TestJobs.BecomeAsync(project, next, "succeeded");
    }

    [Fact]
    public async Task It_is_on_record_with_before_and_after()
    {
        var http = (await service.NewProjectAsync()).Http;
        await http.PostAsync("/v1/queues", """{"name":"q","max_running":4}""");

        await http.ChangeAsync("PATCH", "/v1/queues/q", """{"max_running":5}""", "*");

        var list = await http.CallAsync("GET", "/v1/audit?action=queues.update&target=queues/q");
        var id = list.Expect(HttpStatusCode.OK).Body.GetProperty("items")[0].GetProperty("id").GetGuid();
        var entry = (await http.CallAsync("GET", $"/v1/audit/{id}")).Body;
        Assert.Equal(4, entry.GetProperty("before").GetProperty("max_running").GetInt32());
        Assert.Equal(5, entry.GetProperty("after").GetProperty("max_running").GetInt32());
    }

    private static string Rate(int count, int seconds, int burst) =>
        $$$"""{"rate":{"count":{{{count}}},"seconds":{{{seconds}}},"burst":{{{burst}}}}}""";

    /// <summary>Of a queue that starts one a day, one of two jobs has been started.</summary>
    private async Task<(HttpClient, TestWorker)> StartOneOfTwoAsync()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(
            project,
            "q",
            new
            {
                rate = new
                {
                    count = 1,
                    seconds = 86_400,
                    burst = 1,
                },
            }
        );
        await worker.EnqueueAsync();
        await worker.EnqueueAsync();
        Assert.Single(await worker.ClaimAsync(wait: 20));
        Assert.Empty(await worker.ClaimAsync());
        return (project.Http, worker);
    }
}
