using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

public sealed class PatchAutomationTests(ServiceFixture service)
{
    private const string Document =
        """{"name":"mine","on":{"type":["a.b"]},"steps":[{"id":"s","uses":"set","with":{"n":1}}]}""";

    [Fact]
    public async Task One_can_be_paused_and_go_on()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(Document);

        var paused = await project.Http.ChangeAsync("PATCH", "/v1/automations/mine", """{"enabled":false}""", "*");
        await project.PublishAsync("a.b");
        var resumed = await project.Http.ChangeAsync("PATCH", "/v1/automations/mine", """{"enabled":null}""", "*");
        await project.PublishAsync("a.b");

        Assert.Equal(("disabled", "active"), (paused.Body.State(), resumed.Body.State()));
        var run = await project.EndedRunAsync("mine");
        Assert.Equal(3, run.GetProperty("version").GetInt32());
    }

    [Fact]
    public async Task What_it_makes_is_checked_whole()
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(Document);

        var answer = await project.Http.ChangeAsync("PATCH", "/v1/automations/mine", """{"if":"event.nope >"}""", "*");

        Assert.Equal((HttpStatusCode.UnprocessableEntity, "expression_error"), (answer.Status, answer.Code));
        Assert.Equal("/if", answer.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }
}
