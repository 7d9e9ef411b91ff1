using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class WatchJobTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_is_streamed_until_it_is_over()
    {
        var project = await service.NewProjectAsync();
        var job = await project.Http.PostAsync("/v1/jobs", """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""");
        using var answer = await OpenAsync(project, job.Id);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Token));

        var first = await NextAsync(reader);
        await TestJobs.MakeDueAsync(project, job.Id);
        var last = await NextAsync(reader);
        while (last.Name == "job" && last.State != "succeeded")
        {
            last = await NextAsync(reader);
        }

        var end = await NextAsync(reader);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal(("job", "ready"), (first.Name, first.State));
        Assert.Equal(("job", "succeeded"), (last.Name, last.State));
        Assert.Equal("end", end.Name);
        Assert.Null(await reader.ReadLineAsync(Token));
    }

    [Fact]
    public async Task Who_comes_again_is_told_only_what_is_new()
    {
        var project = await service.NewProjectAsync();
        var job = await project.Http.PostAsync("/v1/jobs", """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""");
        StreamedEvent seen;
        using (var answer = await OpenAsync(project, job.Id))
        {
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Token));
            seen = await NextAsync(reader);
        }

        using var again = await OpenAsync(project, job.Id, seen.Id);
        using var rest = new StreamReader(await again.Content.ReadAsStreamAsync(Token));
        await TestJobs.MakeDueAsync(project, job.Id);
        var next = await NextAsync(rest);

        Assert.NotEqual(seen.Id, next.Id);
        Assert.NotEqual("ready", next.State);
        while (next.State != "succeeded")
        {
            next = await NextAsync(rest);
        }

        using var over = await OpenAsync(project, job.Id, next.Id);
        Assert.Equal(HttpStatusCode.NoContent, over.StatusCode); // a browser does not come again
    }

    [Fact]
    public async Task A_HEAD_is_answered_and_holds_nothing_open()
    {
        var project = await service.NewProjectAsync();
        var job = await project.Http.PostAsync("/v1/jobs", """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""");

        using var request = new HttpRequestMessage(HttpMethod.Head, $"/v1/jobs/{job.Id}/events");
        using var answer = await project.Http.SendAsync(request, HttpCompletionOption.ResponseContentRead, Token);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        var next = (await project.Http.CallAsync("GET", $"/v1/jobs/{job.Id}")).Expect(HttpStatusCode.OK);
        Assert.Equal("ready", next.Body.GetProperty("state").GetString());
    }

    [Fact]
    public async Task An_end_that_the_job_has_not_come_to_is_waited_for()
    {
        var project = await service.NewProjectAsync();
        var job = await project.Http.PostAsync("/v1/jobs", """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""");

        using var answer = await OpenAsync(project, job.Id, "1-succeeded");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Token));
        Assert.Equal("ready", (await NextAsync(reader)).State);
    }

    [Theory]
    [InlineData("UPDATE api_keys SET revoked_at = now() WHERE project_id = @ProjectId")]
    [InlineData("UPDATE api_keys SET role = 'worker' WHERE project_id = @ProjectId")]
    [InlineData("UPDATE api_keys SET access = '{\"queues\":[\"other\"]}' WHERE project_id = @ProjectId")]
    public async Task Whose_key_may_no_more_is_shown_no_more_in_a_stream_that_is_open(string change)
    {
        var project = await service.NewProjectAsync();
        var job = await project.Http.PostAsync("/v1/jobs", """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""");
        using var answer = await OpenAsync(project, job.Id);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Token));
        var first = await NextAsync(reader);

        await using (var connection = await service.Database.OpenConnectionAsync(Token))
        {
            await connection.ExecuteAsync(change.With(new { ProjectId = project.Id }, Token));
        }

        var watch = Stopwatch.StartNew();
        await Eventually.FitAsync(
            async () => (await project.Http.CallAsync("GET", $"/v1/jobs/{job.Id}")).Status,
            // a stream asks once a second
            status => status != HttpStatusCode.OK && watch.Elapsed > TimeSpan.FromSeconds(1.1),
            TimeSpan.FromSeconds(5)
        );
        await TestJobs.MakeDueAsync(project, job.Id);

        Assert.Equal(("ready", "end"), (first.State, (await NextAsync(reader)).Name));
    }

    [Fact]
    public async Task Another_projects_job_is_404()
    {
        var job = await (await service.NewProjectAsync()).Http.PostAsync("/v1/jobs", """{"kind":"noop"}""");
        var other = await service.NewProjectAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await other.Http.CallAsync("GET", $"/v1/jobs/{job.Id}/events")).Status);
    }

    [Theory]
    [InlineData("wait=20", 200)]
    [InlineData("respond-async, wait=20", 200)]
    [InlineData("wait=0", 201)]
    [InlineData("wait=soon", 201)]
    [InlineData("await=20", 201)]
    public async Task Who_prefers_to_wait_is_answered_with_the_outcome(string preference, int status)
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.CallAsync(
            "POST",
            "/v1/jobs",
            """{"kind":"noop"}""",
            headers: [("Prefer", preference), ("Idempotency-Key", "k")]
        );

        Assert.Equal(status, (int)answer.Status);
        Assert.Equal($"/v1/jobs/{answer.Id}", answer.Location);
        if (status == 200)
        {
            Assert.Equal("succeeded", answer.Body.GetProperty("state").GetString());
            Assert.True(answer.Body.TryGetProperty("finished_at", out _));
        }
    }

    [Fact]
    public async Task Who_waits_with_a_key_that_is_revoked_meanwhile_is_not_told_the_outcome()
    {
        var project = await service.NewProjectAsync();
        var waiting = project.Http.CallAsync(
            "POST",
            "/v1/jobs",
            """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""",
            headers: ("Prefer", "wait=30")
        );
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        var of = new { ProjectId = project.Id };
        var id = await Eventually.FitAsync(
            () =>
                connection.QuerySingleOrDefaultAsync<Guid>(
                    "SELECT id FROM jobs WHERE project_id = @ProjectId".With(of, Token)
                ),
            found => found != Guid.Empty
        );
        await connection.ExecuteAsync(
            "UPDATE api_keys SET revoked_at = now() WHERE project_id = @ProjectId".With(of, Token)
        );

        var watch = Stopwatch.StartNew();
        await Eventually.FitAsync(
            async () => (await project.Http.CallAsync("GET", $"/v1/jobs/{id}")).Status,
            status => status != HttpStatusCode.OK && watch.Elapsed > TimeSpan.FromSeconds(1.1),
            TimeSpan.FromSeconds(5)
        );
        await TestJobs.MakeDueAsync(project, id);

        var answer = (await waiting).Expect(HttpStatusCode.Created);
        Assert.Equal("ready", answer.Body.GetProperty("state").GetString());
    }

    [Fact]
    public async Task What_does_not_end_in_time_is_answered_as_if_nobody_had_waited()
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.CallAsync(
            "POST",
            "/v1/jobs",
            """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""",
            headers: ("Prefer", "wait=1")
        );

        Assert.Equal((HttpStatusCode.Created, "ready"), (answer.Status, answer.Body.GetProperty("state").GetString()));
    }

    private static async Task<HttpResponseMessage> OpenAsync(TestProject project, Guid id, string? lastId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/jobs/{id}/events");
        if (lastId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastId);
        }

        return await project.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
    }

    private static async Task<StreamedEvent> NextAsync(StreamReader reader)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        while (true)
        {
            var line =
                await reader.ReadLineAsync(Token) ?? throw new InvalidOperationException("The stream has ended.");
            if (line.Length == 0 && fields.TryGetValue("data", out var data))
            {
                return new StreamedEvent(fields.GetValueOrDefault("id"), fields["event"], JsonElement.Parse(data));
            }

            if (line.Split(": ", 2) is [var name, var value])
            {
                fields[name] = value;
            }
        }
    }

    private sealed record StreamedEvent(string? Id, string Name, JsonElement Data)
    {
        public string? State => Data.TryGetProperty("state", out var state) ? state.GetString() : null;
    }
}
