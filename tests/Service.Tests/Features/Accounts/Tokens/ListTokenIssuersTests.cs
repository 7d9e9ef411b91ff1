using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class ListTokenIssuersTests(ServiceFixture service)
{
    private const string Document =
        """{"name":"ci","issuer":"https://issuer.example.com","audience":"bellhop","subject":"shop","role":"developer","scopes":["events:publish"]}""";

    [Fact]
    public async Task The_newest_comes_first_and_others_are_not_in_it()
    {
        var http = (await service.NewProjectAsync()).Http;
        (await http.PostAsync("/v1/token-issuers", Document)).Expect(HttpStatusCode.Created);
        (await http.PostAsync("/v1/token-issuers", Document.Replace("\"ci\"", "\"cd\""))).Expect(
            HttpStatusCode.Created
        );

        var items = (await http.CallAsync("GET", "/v1/token-issuers"))
            .Expect(HttpStatusCode.OK)
            .Body.GetProperty("items");

        Assert.Equal(["cd", "ci"], items.EnumerateArray().Select(item => item.GetProperty("name").GetString()));
    }
}
