using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

/// <summary>What operators do to very many jobs: in parts, which whoever claims does not wait for, and which ends when they say so.</summary>
public sealed class BulkActionTests(ServiceFixture service)
{
    private const string Make = """
        INSERT INTO jobs (project_id, id, queue_id, run_at, state, priority, max_attempts, kind, args)
        SELECT q.project_id, new_id(), q.queue_id, now(), 1, @Priority, 3, @Kind, '{}'
        FROM queues q
        CROSS JOIN generate_series(1, @Count)
        WHERE q.project_id = @ProjectId AND q.name = 'mail'
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private const int MinClaims = 5;

    [Fact]
    public Task Thousands_are_canceled_and_put_back_while_others_are_claimed() =>
        ActAsync(5_000, TimeSpan.FromSeconds(1));

    [Fact]
    [Trait("Category", "nightly")]
    public Task A_hundred_thousand_are_canceled_and_put_back_while_others_are_claimed() =>
        ActAsync(100_000, TimeSpan.FromMilliseconds(50));

    private async Task ActAsync(int count, TimeSpan most)
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        await MakeAsync(project, "urgent", 1, 2 * count); // these are older, too
        await MakeAsync(project, "letter", 3, count);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var claims = Task.Run(() => ClaimAsync(worker, over.Token), Token);

        var dry = await PostAsync(project, "cancel", """{"filter":{"kind":"letter"},"dry_run":true}""");
        var first = await PostAsync(project, "cancel", """{"filter":{"kind":"letter"}}""");
        // who hangs up in the middle of a part has stopped it, or it was done: there is no half
        using (var gone = CancellationTokenSource.CreateLinkedTokenSource(Token))
        {
            gone.CancelAfter(TimeSpan.FromMilliseconds(20));
            try
            {
                using var answer = await project.Http.PostAsJsonAsync(
                    "/v1/jobs/bulk/cancel",
                    new { filter = new { kind = "letter" } },
                    gone.Token
                );
            }
            catch (OperationCanceledException) when (!Token.IsCancellationRequested)
            {
                // as it is meant
            }
        }

        var stopped = await Eventually.FitAsync(() => CountMeantAsync(project), count => count % 1_000 == 0);
        var (canceled, parts) = await RepeatAsync(project, "cancel", """{"kind":"letter"}""");
        await over.CancelAsync();
        var (waits, held) = await claims;
        foreach (var part in held.Chunk(200))
        {
            Assert.All(
                await worker.FinishAsync([.. part.Select(job => TestWorker.End(job, "canceled"))]),
                result => Assert.Equal("accepted", result)
            );
        }

        var (retried, _) = await RepeatAsync(project, "retry", """{"kind":"letter","state":"canceled"}""");

        Assert.Equal(count, dry.GetProperty("count").GetInt32());
        Assert.Equal(1_000, first.GetProperty("affected").GetInt32());
        Assert.InRange(stopped, 1_000, 2_000);
        Assert.Equal(count, stopped + canceled);
        Assert.All(parts, part => Assert.InRange(part, 1, 1_000));
        Assert.Equal(count, retried);
        Assert.Equal(
            (count, 0),
            await TestJobs.QueryAsync<(int, int)>(
                service.Database,
                """
                SELECT (SELECT count(*)::integer FROM jobs WHERE project_id = @Id AND kind = 'letter' AND state = 1),
                    (SELECT count(*)::integer FROM job_history WHERE project_id = @Id AND kind = 'letter')
                """,
                new { project.Id }
            )
        );
        var p99 = waits.Order().ElementAt((int)(waits.Count * 0.99));
        TestContext.Current.SendDiagnosticMessage(
            $"{waits.Count} claims meanwhile, 99 % of them in {p99.TotalMilliseconds:0} ms"
        );
        Assert.InRange(p99, TimeSpan.Zero, most);
    }

    /// <summary>Claims without a pause, and ends what is urgent. Where the actions were over at once, some claims follow them.</summary>
    private static async Task<(List<TimeSpan> Waits, List<JsonElement> Held)> ClaimAsync(
        TestWorker worker,
        CancellationToken over
    )
    {
        var (waits, held) = (new List<TimeSpan>(), new List<JsonElement>());
        while (!over.IsCancellationRequested || waits.Count <= MinClaims)
        {
            var began = Stopwatch.GetTimestamp();
            var jobs = await worker.ClaimAsync(max: 5);
            waits.Add(Stopwatch.GetElapsedTime(began));
            var urgent = jobs.Where(job => job.GetProperty("kind").GetString() == "urgent").ToArray();
            held.AddRange(jobs.Except(urgent));
            if (urgent.Length > 0)
            {
                await worker.FinishAsync([.. urgent.Select(job => TestWorker.End(job, "succeeded"))]);
            }
        }

        return (waits, held);
    }

    private static async Task<(int Affected, IReadOnlyList<int> Parts)> RepeatAsync(
        TestProject project,
        string action,
        string filter
    )
    {
        var parts = new List<int>();
        JsonElement answer;
        var after = "null";
        do
        {
            answer = await PostAsync(project, action, $$"""{"filter":{{filter}},"after":{{after}}}""");
            Assert.Empty(answer.GetProperty("refused").EnumerateArray());
            parts.Add(answer.GetProperty("affected").GetInt32());
            after = answer.GetProperty("after").GetRawText();
        } while (answer.GetProperty("left").GetBoolean());

        return (parts.Sum(), parts);
    }

    private Task<int> MakeAsync(TestProject project, string kind, int priority, int count) =>
        TestJobs.ExecuteAsync(
            service.Database,
            Make,
            new
            {
                ProjectId = project.Id,
                Kind = kind,
                Priority = (short)priority,
                Count = count,
            }
        );

    /// <summary>How many were canceled, or are to stop.</summary>
    private Task<int> CountMeantAsync(TestProject project) =>
        TestJobs.QueryAsync<int>(
            service.Database,
            """
            SELECT (
                (SELECT count(*) FROM jobs WHERE project_id = @Id AND kind = 'letter' AND cancel_requested_at IS NOT NULL)
                + (SELECT count(*) FROM job_history WHERE project_id = @Id AND kind = 'letter')
            )::integer
            """,
            new { project.Id }
        );

    private static async Task<JsonElement> PostAsync(TestProject project, string action, string body) =>
        (await project.Http.PostAsync($"/v1/jobs/bulk/{action}", body)).Expect(HttpStatusCode.OK).Body;
}
