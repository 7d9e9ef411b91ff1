using System.Net;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class GetJobArgsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_holds_a_job_reads_its_args_as_they_were_sent_and_nobody_else_does()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var id = await worker.EnqueueAsync(new { args = new { order = 7, note = "\"args\":é" } });
        var job = Assert.Single(await worker.ClaimAsync());
        var lease = job.GetProperty("lease").GetString()!;

        var mine = await ReadAsync(id, lease);
        var forged = await ReadAsync(id, new string('A', 32));
        var unproven = await ReadAsync(id, null);
        var nowhere = await ReadAsync(Guid.CreateVersion7(), lease);
        await worker.FinishAsync(TestWorker.End(job, "released"));
        var afterwards = await ReadAsync(id, lease);
        var theirs = (await service.NewProjectAsync()).Http;

        Assert.Equal(HttpStatusCode.OK, mine.Status);
        Assert.True(JsonElement.DeepEquals(job.GetProperty("args"), JsonElement.Parse(mine.Text)), mine.Text);
        Assert.Equal(HttpStatusCode.Conflict, forged.Status);
        Assert.Contains("\"lease_lost\"", forged.Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Conflict, unproven.Status);
        Assert.Equal(HttpStatusCode.NotFound, nowhere.Status);
        Assert.Equal(HttpStatusCode.Conflict, afterwards.Status);
        Assert.Equal(HttpStatusCode.NotFound, (await theirs.GetAsync($"/v1/jobs/{id}/args", Token)).StatusCode);

        async Task<(HttpStatusCode Status, string Text)> ReadAsync(Guid job, string? lease)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/jobs/{job}/args");
            request.Headers.TryAddWithoutValidation("Bellhop-Lease", lease);
            using var response = await project.Http.SendAsync(request, Token);
            return (response.StatusCode, await response.Content.ReadAsStringAsync(Token));
        }
    }
}
