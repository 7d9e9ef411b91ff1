using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class DeleteTokenIssuerTests(ServiceFixture service)
{
    private const string Document =
        """{"name":"ci","issuer":"https://issuer.example.com","audience":"bellhop","subject":"shop","role":"developer","scopes":["events:publish"]}""";

    [Fact]
    public async Task It_is_gone_and_who_may_do_less_does_not_delete_it()
    {
        var project = await service.NewProjectAsync();
        var owner = project.Http;
        var body = Document.Replace("developer", "owner").Replace(""","scopes":["events:publish"]""", "");
        (await owner.PostAsync("/v1/token-issuers", body)).Expect(HttpStatusCode.Created);
        await project.UseKeyAsync("admin");

        Assert.Equal(HttpStatusCode.Forbidden, await DeleteAsync(project.Http));
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync(owner));
        (await owner.CallAsync("GET", "/v1/token-issuers/ci")).Expect(HttpStatusCode.NotFound);
    }

    private static async Task<HttpStatusCode> DeleteAsync(HttpClient http) =>
        (await http.CallAsync("DELETE", "/v1/token-issuers/ci", headers: ("If-Match", "*"))).Status;
}
