using System.Net;
using Bellhop.Features.Connections;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class DeleteConnectionTests(ServiceFixture service)
{
    [Fact]
    public async Task One_that_is_deleted_cannot_be_opened_any_more()
    {
        var project = await service.NewProjectAsync();
        var cache = service.Services.GetRequiredService<ConnectionCache>();
        var made = await project.MakeAsync("mine", TestConnections.Sound["http"]);
        var before = await FindAsync("mine");

        (await project.Http.ChangeAsync("DELETE", $"{TestConnections.Path}/mine", ifMatch: made.ETag)).Expect(
            HttpStatusCode.NoContent
        );

        Assert.Equal(made.Id, before!.Id);
        Assert.Null(await FindAsync("mine"));
        Assert.Null(await FindAsync($"{made.Id}"));

        async Task<OpenConnection?> FindAsync(string which) =>
            await cache.FindAsync(project.Id, which, TestContext.Current.CancellationToken);
    }
}
