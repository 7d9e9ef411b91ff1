using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class ForgetWorkersTests(ServiceFixture service)
{
    [Fact]
    public async Task Who_was_not_seen_for_a_day_is_forgotten()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        var gone = new TestWorker(project.Http, "mail");
        Assert.Empty(await worker.ClaimAsync());
        Assert.Empty(await gone.ClaimAsync());
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE workers SET last_seen_at = now() - interval '25 hours' WHERE project_id = @ProjectId AND id = @Id",
            new { ProjectId = project.Id, gone.Id }
        );

        await service.SendAsync(project.Id, new ForgetWorkers.Command());

        var list = await project.Http.GetFromJsonAsync<JsonElement>(
            "/v1/workers",
            TestContext.Current.CancellationToken
        );
        Assert.Equal(worker.Id, Assert.Single(list.GetProperty("items").EnumerateArray()).GetProperty("id").GetGuid());
    }
}
