using System.Net;
using System.Text.Json.Nodes;
using Bellhop.Features.Connections;
using Bellhop.Features.Secrets;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class UpdateConnectionTests(ServiceFixture service)
{
    private const string Path = $"{TestConnections.Path}/mine";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_shown_may_be_put_again_and_keeps_its_own_secret()
    {
        var project = await service.NewProjectAsync();
        var made = await project.MakeAsync("mine", TestConnections.Sound["http"]);
        var shown = JsonNode.Parse((await project.Http.CallAsync("GET", Path)).Text)!.AsObject();
        foreach (var own in new[] { "id", "revision", "created_at", "updated_at" })
        {
            shown.Remove(own);
        }

        (await project.Http.ChangeAsync("PUT", Path, shown.ToJsonString(), made.ETag)).Expect(HttpStatusCode.OK);

        Assert.Equal("s", await SecretAsync(project));
    }

    [Fact]
    public async Task A_secret_may_be_replaced_by_another_and_by_a_named_one_and_back()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("mine", TestConnections.Sound["llm"]);
        await project.SendAsync(new PutSecret.Command("named", "of the name"));
        var seen = new List<string?> { await SecretAsync(project) };

        foreach (var secret in new[] { """{"value":"own"}""", "\"named\"", """{"value":"again"}""", "null" })
        {
            var document = TestConnections.Sound["llm"][..^1] + $",\"secret\":{secret}}}";
            (await project.Http.ChangeAsync("PUT", Path, document, "*")).Expect(HttpStatusCode.OK);
            seen.Add(await SecretAsync(project));
        }

        Assert.Equal([null, "own", "of the name", "again", null], seen);
    }

    [Fact]
    public async Task A_kind_stays()
    {
        var project = await service.NewProjectAsync();
        var made = await project.MakeAsync("mine", TestConnections.Sound["llm"]);

        var answer = await project.Http.ChangeAsync("PUT", Path, TestConnections.Sound["http"], made.ETag);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.Status);
        Assert.Equal([("/kind", "kind_differs")], answer.Errors());
    }

    private async Task<string?> SecretAsync(TestProject project) =>
        (await service.Services.GetRequiredService<ConnectionCache>().FindAsync(project.Id, "mine", Token))!.Secret;
}
