using System.Net;
using Bellhop.Features.Secrets;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Secrets;

public sealed class DeleteSecretTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_deleted_secret_is_gone_at_once_and_is_404_the_second_time()
    {
        var project = await service.NewProjectAsync();
        await project.SendAsync(new PutSecret.Command("key", "value"));
        var secrets = service.Services.GetRequiredService<NamedSecrets>();
        await secrets.FindAsync(project.Id, "key", Token);

        using var deleted = await project.Http.DeleteAsync("/v1/secrets/key", Token);
        using var again = await project.Http.DeleteAsync("/v1/secrets/key", Token);

        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.NotFound), (deleted.StatusCode, again.StatusCode));
        Assert.Null(await secrets.FindAsync(project.Id, "key", Token));
    }

    [Fact]
    public async Task Another_projects_secret_is_not_there_to_delete()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        await other.SendAsync(new PutSecret.Command("key", "value"));

        using var answer = await project.Http.DeleteAsync("/v1/secrets/key", Token);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal(
            "value",
            await service.Services.GetRequiredService<NamedSecrets>().FindAsync(other.Id, "key", Token)
        );
    }
}
