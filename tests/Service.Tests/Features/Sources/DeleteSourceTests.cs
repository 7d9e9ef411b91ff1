using System.Net;
using System.Text;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Sources;

public sealed class DeleteSourceTests(ServiceFixture service)
{
    [Fact]
    public async Task Its_inbound_path_leads_nowhere_from_the_answer_on()
    {
        var project = await service.NewProjectAsync();
        var made = await project.Http.PostAsync(
            "/v1/sources",
            """{"name":"x","scheme":"github","secret":"the secret"}"""
        );
        var path = made.Body.GetProperty("inbound_path").GetString()!;
        Assert.Equal(HttpStatusCode.Accepted, await SendAsync(path, "the secret"));

        (await project.Http.ChangeAsync("DELETE", "/v1/sources/x", ifMatch: made.ETag)).Expect(
            HttpStatusCode.NoContent
        );

        Assert.Equal(HttpStatusCode.NotFound, await SendAsync(path, "the secret"));
        Assert.Equal(1, (await project.Http.CallAsync("GET", "/v1/events")).Body.GetProperty("items").GetArrayLength());
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
