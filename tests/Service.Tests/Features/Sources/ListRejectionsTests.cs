using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Sources;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Sources;

public sealed class ListRejectionsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_flood_is_kept_once_a_second_and_counted()
    {
        const int Sent = 40;
        var project = await RejectAsync(Sent);

        var kept = await Eventually.FitAsync(() => ListAsync(project), kept => kept.Sum(Weight) == Sent);

        Assert.True(kept.Length < Sent, $"{kept.Length} rows");
        Assert.All(kept, one => Assert.Equal("wrong_signature", one.GetProperty("reason").GetString()));
        Assert.Equal("{}", Encoding.UTF8.GetString(kept[0].GetProperty("body_base64").GetBytesFromBase64()));
        Assert.Equal(2, kept[0].GetProperty("body_bytes").GetInt32());
        var headers = kept[0].GetProperty("headers");
        Assert.Equal("issues", headers.GetProperty("X-GitHub-Event")[0].GetString());
        Assert.False(headers.TryGetProperty("Authorization", out _));
        Assert.False(headers.TryGetProperty("X-Gitlab-Token", out _));

        static int Weight(JsonElement one) => 1 + one.GetProperty("also_rejected").GetInt32();
    }

    [Fact]
    public async Task Bodies_need_the_permission_to_read_data()
    {
        var project = await RejectAsync(1);
        await project.UseKeyAsync(Roles.Owner, Permissions.SourcesRead);

        var kept = await ListAsync(project);

        Assert.Equal(JsonValueKind.Null, Assert.Single(kept).GetProperty("body_base64").ValueKind);
    }

    [Fact]
    public async Task The_source_must_be_the_projects()
    {
        var project = await service.NewProjectAsync();

        using var answer = await project.Http.GetAsync(new Uri("/v1/sources/hub/rejections", UriKind.Relative), Token);

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    private async Task<TestProject> RejectAsync(int times)
    {
        var project = await service.NewProjectAsync();
        var made = (
            await project.SendAsync(new CreateSource.Command(new SourceDocument("hub", "github", "a secret of ours")))
        ).Unwrap();
        using var http = service.NewClient("a key that must not be kept");
        http.DefaultRequestHeaders.Add("X-Gitlab-Token", "nor a credential by another name");
        for (var time = 0; time < times; time++)
        {
            var request = GitHubSchemeTests.Signed("{}", key: "not the secret"u8.ToArray());
            using var message = ReceiveWebhookTests.Message(made.InboundPath, request);
            using var answer = await http.SendAsync(message, Token);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }

        return project;
    }

    private static async Task<JsonElement[]> ListAsync(TestProject project)
    {
        var page = await project.Http.GetFromJsonAsync<JsonElement>("/v1/sources/hub/rejections", Token);
        return [.. page.GetProperty("items").EnumerateArray()];
    }
}
