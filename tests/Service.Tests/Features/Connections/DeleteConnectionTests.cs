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

    [Fact]
    public async Task A_connection_that_an_automation_names_stays_until_it_does_no_more()
    {
        var project = await service.NewProjectAsync();
        var made = await project.MakeAsync("crm", TestConnections.Sound["http"]);
        const string Automation = "/v1/automations/calls";
        const string Step = """{"id":"a","uses":"http","with":{"method":"GET","connection":"crm","path":"/"}}""";
        const string Other = """{"id":"b","uses":"set","with":{}}""";
        string Naming(string step) =>
            $$"""{"on":{"type":["a"]},"steps":[{{Other}},{"id":"bad","uses":"set","with":{},"on_error":{"steps":[{{step}}]} }]}""";
        var saved = (await project.Http.ChangeAsync("PUT", Automation, Naming(Step))).Expect(HttpStatusCode.Created);

        var refused = await project.Http.ChangeAsync("DELETE", $"{TestConnections.Path}/crm", ifMatch: made.ETag);
        (
            await project.Http.ChangeAsync(
                "PUT",
                Automation,
                Naming(Other.Replace("\"b\"", "\"c\"")),
                ifMatch: saved.ETag
            )
        ).Expect(HttpStatusCode.OK);
        var deleted = await project.Http.ChangeAsync("DELETE", $"{TestConnections.Path}/crm", ifMatch: made.ETag);

        Assert.Equal(HttpStatusCode.Conflict, refused.Status);
        Assert.Equal("connection_in_use", refused.Body.GetProperty("code").GetString());
        Assert.Equal("crm is used by automations/calls.", refused.Body.GetProperty("detail").GetString());
        Assert.Equal(HttpStatusCode.NoContent, deleted.Status);
    }
}
