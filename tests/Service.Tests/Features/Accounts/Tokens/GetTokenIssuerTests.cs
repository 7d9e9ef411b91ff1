using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class GetTokenIssuerTests(ServiceFixture service)
{
    private const string Document =
        """{"name":"ci","issuer":"https://issuer.example.com","audience":"bellhop","subject":"shop","role":"developer","scopes":["events:publish"]}""";

    [Fact]
    public async Task It_is_found_by_its_id_and_its_name_and_by_nobody_elses_project()
    {
        var http = (await service.NewProjectAsync()).Http;
        var made = (await http.PostAsync("/v1/token-issuers", Document)).Expect(HttpStatusCode.Created);
        var other = (await service.NewProjectAsync()).Http;

        Assert.Equal(made.Id, (await http.CallAsync("GET", "/v1/token-issuers/ci")).Expect(HttpStatusCode.OK).Id);
        var byId = (await http.CallAsync("GET", $"/v1/token-issuers/{made.Id}")).Expect(HttpStatusCode.OK);
        Assert.Equal(made.ETag, byId.ETag);
        (await other.CallAsync("GET", $"/v1/token-issuers/{made.Id}")).Expect(HttpStatusCode.NotFound);
    }
}
