using System.Net;
using System.Text;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Sources;

public sealed class PatchSourceTests(ServiceFixture service)
{
    [Fact]
    public async Task A_new_secret_is_what_counts_from_the_answer_on()
    {
        var project = await service.NewProjectAsync();
        var made = await project.Http.PostAsync(
            "/v1/sources",
            """{"name":"x","scheme":"github","secret":"the old secret"}"""
        );
        var path = made.Body.GetProperty("inbound_path").GetString()!;
        Assert.Equal(HttpStatusCode.Accepted, await SendAsync(path, "the old secret"));

        await project.Http.ChangeAsync("PATCH", "/v1/sources/x", """{"secret":"the new secret"}""", made.ETag);

        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(path, "the old secret"));
        Assert.Equal(HttpStatusCode.Accepted, await SendAsync(path, "the new secret"));
    }

    private async Task<HttpStatusCode> SendAsync(string path, string secret)
    {
        using var http = service.NewClient();
        var request = GitHubSchemeTests.Signed("{}", key: Encoding.UTF8.GetBytes(secret));
        using var answer = await http.SendAsync(
            ReceiveWebhookTests.Message(path, request),
            TestContext.Current.CancellationToken
        );
        return answer.StatusCode;
    }
}
