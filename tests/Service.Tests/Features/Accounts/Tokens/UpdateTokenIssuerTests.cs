using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class UpdateTokenIssuerTests(ServiceFixture service)
{
    private const string Document =
        """{"name":"ci","issuer":"https://issuer.example.com","audience":"bellhop","subject":"shop","role":"developer","scopes":["events:publish"]}""";

    [Fact]
    public async Task What_is_left_out_has_its_default_again()
    {
        var http = (await service.NewProjectAsync()).Http;
        var made = (await http.PostAsync("/v1/token-issuers", Document)).Expect(HttpStatusCode.Created);

        var put = await http.ChangeAsync(
            "PUT",
            "/v1/token-issuers/ci",
            """{"issuer":"https://issuer.example.com","audience":"bellhop","role":"viewer"}""",
            made.ETag
        );

        put.Expect(HttpStatusCode.OK);
        Assert.Equal("null", put.Body.GetProperty("subject").GetRawText());
        Assert.Equal("null", put.Body.GetProperty("scopes").GetRawText());
    }
}
