using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

/// <summary>A worker elsewhere: what it sends over HTTP, and what it is answered.</summary>
internal sealed class TestWorker(HttpClient http, string queue, Guid? id = null)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public Guid Id { get; } = id ?? Guid.CreateVersion7();

    public static async Task<TestWorker> ForAsync(TestProject project, string queue, object? limits = null)
    {
        var made = await project.Http.PutAsJsonAsync($"/v1/queues/{queue}", limits ?? new { }, Token);
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        return new TestWorker(project.Http, queue);
    }

    public Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, object body) =>
        PostAsync(http, path, body);

    public static async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(
        HttpClient http,
        string path,
        object body
    )
    {
        using var response = await http.PostAsJsonAsync(path, body, Token);
        return (response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>(Token));
    }

    public Task<(HttpStatusCode Status, JsonElement Body)> AskAsync(int max = 10, int wait = 0, Guid? key = null) =>
        PostAsync(
            "/v1/jobs/claim",
            new
            {
                worker = new { id = Id, name = "test" },
                claim_key = key ?? Guid.NewGuid(),
                queues = new[] { new { name = queue } },
                max,
                wait_seconds = wait,
            }
        );

    public async Task<JsonElement[]> ClaimAsync(int max = 10, int wait = 0, Guid? key = null)
    {
        var (status, body) = await AskAsync(max, wait, key);
        Assert.True(status == HttpStatusCode.OK, body.ToString());
        return [.. body.GetProperty("jobs").EnumerateArray()];
    }

    public async Task<string[]> FinishAsync(params object[] jobs)
    {
        var (status, body) = await PostAsync("/v1/jobs/finish", new { jobs });
        Assert.True(status == HttpStatusCode.OK, body.ToString());
        return
        [
            .. body.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("status").GetString()!),
        ];
    }

    public async Task<JsonElement[]> BeatAsync(params object[] jobs)
    {
        var (status, body) = await PostAsync(
            "/v1/jobs/heartbeat",
            new { worker = new { id = Id, name = "test" }, jobs }
        );
        Assert.True(status == HttpStatusCode.OK, body.ToString());
        return [.. body.GetProperty("jobs").EnumerateArray()];
    }

    public static object End(JsonElement job, string outcome, double? delay = null, object? error = null) =>
        new
        {
            id = job.GetProperty("id"),
            lease = job.GetProperty("lease"),
            outcome,
            delay_seconds = delay,
            error,
        };

    public async Task<Guid> EnqueueAsync(object? more = null)
    {
        var job = JsonSerializer.SerializeToNode(more ?? new { })!.AsObject();
        job["queue"] = queue;
        job["kind"] ??= "letter";
        var (status, body) = await PostAsync("/v1/jobs", job);
        Assert.True(status is HttpStatusCode.Created or HttpStatusCode.OK, body.ToString());
        return body.GetProperty("id").GetGuid();
    }

    /// <summary>Ends the lease of everything the queue has running, as if that long had passed.</summary>
    public static Task ExpireAsync(TestProject project) =>
        TestJobs.ExecuteAsync(
            project.Database,
            "UPDATE jobs SET lease_until = now() - interval '1 second' WHERE project_id = @Id AND state = 2",
            new { project.Id }
        );
}
