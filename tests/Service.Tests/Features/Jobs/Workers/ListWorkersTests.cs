using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Workers;

public sealed class ListWorkersTests(ServiceFixture service)
{
    [Fact]
    public async Task Who_has_claimed_is_known_with_what_it_holds()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        await worker.EnqueueAsync();
        Assert.Single(await worker.ClaimAsync());

        var list = await project.Http.GetFromJsonAsync<JsonElement>(
            "/v1/workers",
            TestContext.Current.CancellationToken
        );

        var seen = Assert.Single(list.GetProperty("items").EnumerateArray());
        Assert.Equal(
            (worker.Id, "test", 1),
            (
                seen.GetProperty("id").GetGuid(),
                seen.GetProperty("name").GetString(),
                seen.GetProperty("leases").GetInt32()
            )
        );
        Assert.Equal("mail", Assert.Single(seen.GetProperty("queues").EnumerateArray()).GetString());
        Assert.Equal("run", seen.GetProperty("directive").GetString());
    }
}
