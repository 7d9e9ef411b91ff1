using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Logs;

/// <summary>What the tests of logs do past the API.</summary>
internal static class TestLogs
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A job that is held as if somebody executed it, and stays so until it is let go.</summary>
    public static async Task<ClaimedJob> HoldAsync(ServiceFixture service, TestProject project, long claimNo = 1)
    {
        var job = TestJobs.Later(project.Id);
        await TestJobs.EnqueueAsync(service, job);
        await ClaimAsync(project, job.Id, claimNo);
        return Claimed(job, claimNo);
    }

    public static ClaimedJob Claimed(NewJob job, long claimNo) =>
        new(job.ProjectId, job.Id, 0, job.Queue, job.Kind, claimNo, 1, 20, 0, "{}", null);

    public static Task ClaimAsync(TestProject project, Guid id, long claimNo, Guid? claimKey = null) =>
        TestJobs.ExecuteAsync(
            project.Database,
            """
            UPDATE jobs
            SET state = 2, claim_no = @ClaimNo, claim_key = @ClaimKey, claimed_at = now(), lease_until = now() + interval '1 hour'
            WHERE project_id = @ProjectId AND id = @Id
            """,
            new
            {
                ProjectId = project.Id,
                Id = id,
                ClaimNo = claimNo,
                ClaimKey = claimKey,
            }
        );

    /// <summary>Lets go of it, so that it runs to its end.</summary>
    public static async Task EndAsync(TestProject project, Guid id)
    {
        await TestJobs.ExecuteAsync(
            project.Database,
            """
            UPDATE jobs SET state = 1, lease_until = NULL, run_at = now() WHERE project_id = @ProjectId AND id = @Id
            """,
            new { ProjectId = project.Id, Id = id }
        );
        await TestJobs.BecomeAsync(project, id, "succeeded");
    }

    public static WrittenLines Lines(ClaimedJob job, int from, params string[] texts) =>
        new(
            job.ProjectId,
            job.Id,
            job.ClaimNo,
            null,
            from,
            [.. texts.Select(text => new WrittenLine(DateTime.UtcNow, JobLogLevel.Info, text))]
        );

    public static async Task<int?> AppendAsync(TestProject project, WrittenLines lines)
    {
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        return (await JobLogStore.AppendAsync(connection, [lines], Token))[0];
    }

    /// <summary>What a handler is given.</summary>
    public static JobLog Open(ServiceFixture service, ClaimedJob job)
    {
        var log = new JobLog(service.Services.GetRequiredService<JobLogWriter>(), TimeProvider.System);
        log.Begin(job);
        return log;
    }

    /// <summary>Every line as GET shows it, page by page.</summary>
    public static async Task<IReadOnlyList<JobLogLine>> ReadAsync(
        TestProject project,
        Guid id,
        string query = "limit=200"
    )
    {
        var lines = new List<JobLogLine>();
        for (var cursor = ""; cursor is not null; )
        {
            var page = (await project.Http.CallAsync("GET", $"/v1/jobs/{id}/logs?{query}{cursor}")).Expect(
                HttpStatusCode.OK
            );
            lines.AddRange(page.Body.GetProperty("items").EnumerateArray().Select(Read));
            cursor = page.Body.GetProperty("next_cursor").GetString() is { } next ? $"&cursor={next}" : null;
        }

        return lines;
    }

    /// <summary>The lines of a stream until it ends or is left.</summary>
    public static async IAsyncEnumerable<JobLogLine> FollowAsync(
        TestProject project,
        Guid id,
        long after = 0,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/jobs/{id}/logs/events");
        if (after > 0)
        {
            request.Headers.Add("Last-Event-ID", $"{after}");
        }

        using var answer = await project.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Token));
        var (lastId, name) = ("", "");
        while (await reader.ReadLineAsync(cancellationToken) is { } text)
        {
            if (text.StartsWith("id: ", StringComparison.Ordinal))
            {
                lastId = text[4..];
            }
            else if (text.StartsWith("event: ", StringComparison.Ordinal))
            {
                name = text[7..];
            }
            else if (name == "line" && text.StartsWith("data: ", StringComparison.Ordinal))
            {
                var line = Read(JsonElement.Parse(text[6..]));
                Assert.Equal($"{line.Seq}", lastId);
                yield return line;
            }
        }
    }

    private static JobLogLine Read(JsonElement line) =>
        new(
            line.GetProperty("seq").GetInt64(),
            line.GetProperty("at").GetDateTime(),
            line.GetProperty("level").GetString()!,
            line.GetProperty("text").GetString()!
        );
}
