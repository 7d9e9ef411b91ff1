using System.Net;
using Bellhop.Features.Connections;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class PatchConnectionTests(ServiceFixture service)
{
    private const string Path = $"{TestConnections.Path}/mine";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_patch_of_the_config_keeps_the_secret_and_one_of_the_secret_the_config()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("mine", TestConnections.Sound["smtp"]);

        (await project.Http.ChangeAsync("PATCH", Path, """{"config":{"port":465,"user":"other"}}""", "*")).Expect(
            HttpStatusCode.OK
        );
        var kept = await FindAsync(project);
        (await project.Http.ChangeAsync("PATCH", Path, """{"secret":{"value":"new"}}""", "*")).Expect(
            HttpStatusCode.OK
        );
        var replaced = await FindAsync(project);

        var config = Assert.IsType<SmtpConfig>(kept.Config);
        Assert.Equal(("mail.example.com", 465, "other", "s"), (config.Host, config.Port, config.User, kept.Secret));
        Assert.Equal((config, "new"), (replaced.Config, replaced.Secret));
    }

    [Fact]
    public async Task What_needs_a_secret_does_not_lose_it()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("mine", TestConnections.Sound["smtp"]);

        var refused = await project.Http.ChangeAsync("PATCH", Path, """{"secret":null}""", "*");
        var kind = await project.Http.ChangeAsync("PATCH", Path, """{"kind":"llm"}""", "*");
        var without = await project.Http.ChangeAsync("PATCH", Path, """{"config":{"user":null},"secret":null}""", "*");

        Assert.Equal([("/secret", "required")], refused.Errors());
        Assert.Equal([("/kind", "kind_differs")], kind.Errors());
        Assert.Equal(HttpStatusCode.OK, without.Status);
        Assert.Null((await FindAsync(project)).Secret);
    }

    private async Task<OpenConnection> FindAsync(TestProject project) =>
        (await service.Services.GetRequiredService<ConnectionCache>().FindAsync(project.Id, "mine", Token))!;
}
