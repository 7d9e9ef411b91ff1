using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class UpdateAutomationTests(ServiceFixture service)
{
    private const string Document = """{"on":{"type":["a.b"]},"steps":[{"id":"s","uses":"set","with":{"n":1}}]}""";

    [Fact]
    public async Task A_name_that_is_not_there_is_created_and_then_gets_the_next_version()
    {
        var project = await service.NewProjectAsync();

        var (first, made) = await project.CallAsync(HttpMethod.Put, "/v1/automations/mine", Document);
        var (second, next) = await project.CallAsync(HttpMethod.Put, "/v1/automations/mine", Document);
        var (third, byId) = await project.CallAsync(
            HttpMethod.Put,
            $"/v1/automations/{made.GetProperty("id").GetGuid()}",
            Document
        );

        Assert.Equal([HttpStatusCode.Created, HttpStatusCode.OK, HttpStatusCode.OK], [first, second, third]);
        Assert.Equal(1, made.GetProperty("version").GetInt32());
        Assert.Equal(2, next.GetProperty("version").GetInt32());
        Assert.Equal(3, byId.GetProperty("version").GetInt32());
        Assert.Equal(made.GetProperty("id").GetGuid(), byId.GetProperty("id").GetGuid());
    }

    [Fact]
    public async Task An_id_that_is_not_there_is_404_and_another_name_is_422()
    {
        var project = await service.NewProjectAsync();
        await project.CallAsync(HttpMethod.Put, "/v1/automations/mine", Document);

        var (missing, _) = await project.CallAsync(HttpMethod.Put, $"/v1/automations/{Guid.NewGuid()}", Document);
        var (renamed, body) = await project.CallAsync(
            HttpMethod.Put,
            "/v1/automations/mine",
            """{"name":"yours","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{}}]}"""
        );

        Assert.Equal(HttpStatusCode.NotFound, missing);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, renamed);
        Assert.Equal("/name", body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Fact]
    public async Task An_event_after_the_answer_meets_the_new_version()
    {
        var project = await service.NewProjectAsync();
        for (var version = 1; version <= 5; version++)
        {
            await project.CallAsync(
                HttpMethod.Put,
                "/v1/automations/mine",
                $$$"""{"on":{"type":["v{{{version}}}"]},"steps":[{"id":"s","uses":"set","with":{"n":{{{version}}}}}]}"""
            );
            await project.PublishAsync($"v{version}");
            var runs = await Eventually.FitAsync(
                () => project.GetAsync("/v1/runs?automation=mine&state=succeeded"),
                list => list.GetProperty("items").GetArrayLength() == version
            );
            Assert.Equal(version, runs.GetProperty("items")[0].GetProperty("version").GetInt32());
        }
    }

    [Fact]
    public async Task One_that_is_disabled_starts_nothing()
    {
        var project = await service.NewProjectAsync();
        var (_, saved) = await project.CallAsync(
            HttpMethod.Put,
            "/v1/automations/mine",
            """{"on":{"type":["a"]},"enabled":false,"steps":[{"id":"s","uses":"set","with":{}}]}"""
        );

        await project.PublishAsync("a");

        Assert.Equal("disabled", saved.State());
        Assert.Equal(0, await project.CountAsync("SELECT count(*) FROM runs WHERE project_id = @Id"));
    }
}
