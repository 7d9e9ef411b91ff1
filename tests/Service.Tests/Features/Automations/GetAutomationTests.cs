using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class GetAutomationTests(ServiceFixture service)
{
    [Fact]
    public async Task What_was_saved_is_shown_by_name_and_by_id_and_can_be_sent_back()
    {
        var project = await service.NewProjectAsync();
        var saved = await project.SaveAsync(
            """{"name":"mine","on":{"type":["a.*"]},"if":"true","steps":[{"id":"s","uses":"set","with":{"x":"${event.id}"}}]}"""
        );

        var byName = await project.GetAsync("/v1/automations/mine");
        var byId = await project.GetAsync($"/v1/automations/{saved.GetProperty("id").GetGuid()}");
        var definition = byName.GetProperty("definition").GetRawText();
        var (status, _) = await project.CallAsync(HttpMethod.Put, "/v1/automations/mine", definition);

        Assert.Equal(byName.GetRawText(), byId.GetRawText());
        Assert.Equal("active", byName.State());
        Assert.Equal(HttpStatusCode.OK, status);
    }

    [Fact]
    public async Task Another_projects_automation_is_404()
    {
        var project = await service.NewProjectAsync();
        var stranger = await service.NewProjectAsync();
        var saved = await project.SaveAsync(
            """{"name":"mine","on":{"type":["a"]},"steps":[{"id":"s","uses":"set","with":{}}]}"""
        );

        var (status, _) = await stranger.CallAsync(
            HttpMethod.Get,
            $"/v1/automations/{saved.GetProperty("id").GetGuid()}"
        );

        Assert.Equal(HttpStatusCode.NotFound, status);
    }
}
