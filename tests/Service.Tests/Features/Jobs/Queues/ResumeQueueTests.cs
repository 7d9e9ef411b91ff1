using System.Diagnostics;
using System.Net;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Queues;

public sealed class ResumeQueueTests(ServiceFixture service)
{
    [Fact]
    public async Task What_waited_is_started_at_once()
    {
        var project = await service.NewProjectAsync();
        var http = project.Http;
        await http.PostAsync("/v1/queues/default/pause", "");
        var job = (await http.PostAsync("/v1/jobs", """{"kind":"noop"}""")).Expect(HttpStatusCode.Created);

        var resumed = (await http.PostAsync("/v1/queues/default/resume", "")).Expect(HttpStatusCode.OK);

        Assert.Equal("null", resumed.Body.GetProperty("paused_at").GetRawText());
        await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        var entries = (await http.CallAsync("GET", "/v1/audit?action=queues.resume")).Body.GetProperty("items");
        Assert.Single(entries.EnumerateArray());
    }

    /// <summary>Who only looks now and then begins in a tenth of a second by chance, four times of ten.</summary>
    [Fact]
    public async Task The_first_begins_within_a_tenth_of_a_second_of_the_answer()
    {
        const int Rounds = 12;
        var project = await service.NewProjectAsync();
        var late = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            await TestJobs.HoldQueueAsync(project, "default", "now()"); // by SQL: nobody is woken before it is resumed
            var begun = new TaskCompletionSource<long>();
            var job = TestJobs.New(
                project.Id,
                (_, _) =>
                {
                    begun.TrySetResult(Stopwatch.GetTimestamp());
                    return TestJobs.Succeed();
                }
            );
            await using (
                var connection = await service.Database.OpenConnectionAsync(TestContext.Current.CancellationToken)
            )
            {
                await JobQueue.EnqueueAsync(connection, [job], TestContext.Current.CancellationToken);
            }

            (await project.Http.PostAsync("/v1/queues/default/resume", "")).Expect(HttpStatusCode.OK);
            var answered = Stopwatch.GetTimestamp();
            var at = await begun.Task.WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);
            late.Add(Stopwatch.GetElapsedTime(answered, at).TotalMilliseconds);
            await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        }

        // three may meet a machine that is busy with other tests
        Assert.True(
            late.Count(milliseconds => milliseconds < 100) >= Rounds - 3,
            string.Join(' ', late.Select(each => $"{each:0}"))
        );
    }

    [Fact]
    public async Task A_queue_that_is_not_paused_stays_as_it_is()
    {
        var http = (await service.NewProjectAsync()).Http;
        var before = await http.CallAsync("GET", "/v1/queues/default");

        var resumed = (await http.PostAsync("/v1/queues/default/resume", "")).Expect(HttpStatusCode.OK);

        Assert.Equal(before.Text, resumed.Text);
    }
}
