using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class EnqueueJobTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_is_made_ready_and_runs()
    {
        var project = await service.NewProjectAsync();

        var response = await PostAsync(
            project,
            new
            {
                queue = "default",
                kind = "noop",
                args = new { },
                run_at = (string?)null,
            }
        );

        var job = await response.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Contains(job.State(), (string[])["ready", "running"]); // it begins at once where nothing waits before it
        Assert.Equal($"/v1/jobs/{job.GetProperty("id").GetGuid()}", response.Headers.Location!.ToString());
        await TestJobs.BecomeAsync(project, job.GetProperty("id").GetGuid(), "succeeded");
    }

    [Fact]
    public async Task A_job_for_later_waits()
    {
        var project = await service.NewProjectAsync();

        var response = await PostAsync(project, new { kind = "noop", run_at = "2999-01-01T00:00:00Z" });

        var id = (await response.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("id").GetGuid();
        var job = await TestJobs.GetAsync(project, id);
        Assert.Equal("ready", job.State());
        Assert.Equal("2999-01-01T00:00:00.000Z", job.GetProperty("run_at").GetString());
        Assert.Equal(0, job.GetProperty("attempt").GetInt32());
    }

    [Theory]
    [InlineData("""{"kind":"nothing"}""", "unknown_kind", "/kind")]
    [InlineData("""{"kind":"giving-up"}""", "unknown_kind", "/kind")]
    [InlineData("""{"kind":"noop","queue":"nowhere"}""", "unknown_queue", "/queue")]
    [InlineData("""{"kind":"nothing","queue":"nowhere"}""", "unknown_queue", "/queue")]
    [InlineData("""{"kind":"noop","args":[]}""", "invalid", "/args")]
    [InlineData("""{"kind":"noop","priority":5}""", "invalid", "/priority")]
    [InlineData("""{"kind":"noop","run_at":"0001-01-01T00:00:00Z"}""", "invalid", "/run_at")]
    [InlineData("""{"kind":"noop","run_at":"9999-12-31T23:59:59.9999999Z"}""", "invalid", "/run_at")]
    [InlineData("""{"kind":"noop","max_attempts":0}""", "invalid", "/max_attempts")]
    [InlineData("""{"kind":"noop","retry":{"strategy":"never"}}""", "invalid", "/retry/strategy")]
    [InlineData("""{"kind":"noop","retry":{"strategy":"list"}}""", "invalid", "/retry/delays_seconds")]
    [InlineData("""{"args":{}}""", "invalid", "/kind")]
    public async Task What_cannot_run_is_422_and_names_the_member(string body, string code, string pointer)
    {
        var project = await service.NewProjectAsync();

        var response = await project.Http.PostAsync(
            "/v1/jobs",
            new StringContent(body, null, "application/json"),
            Token
        );

        var problem = await response.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.Equal(pointer, problem.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Fact]
    public async Task Args_over_256_KiB_are_413()
    {
        var project = await service.NewProjectAsync();

        var response = await PostAsync(
            project,
            new { kind = "noop", args = new { text = new string('x', 256 * 1024) } }
        );

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [Fact]
    public async Task A_viewer_may_not_enqueue()
    {
        var project = await service.NewProjectAsync("viewer");

        Assert.Equal(HttpStatusCode.Forbidden, (await PostAsync(project, new { kind = "noop" })).StatusCode);
    }

    private static Task<HttpResponseMessage> PostAsync<T>(TestProject project, T body) =>
        project.Http.PostAsJsonAsync("/v1/jobs", body, Token);
}
