using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class PatchTokenIssuerTests(ServiceFixture service)
{
    private const string Document =
        """{"name":"ci","issuer":"https://issuer.example.com","audience":"bellhop","subject":"shop","role":"developer","scopes":["events:publish"]}""";

    [Fact]
    public async Task What_the_patch_names_changes_and_the_rest_stays()
    {
        var http = (await service.NewProjectAsync()).Http;
        var made = (await http.PostAsync("/v1/token-issuers", Document)).Expect(HttpStatusCode.Created);

        var patched = await http.CallAsync(
            "PATCH",
            "/v1/token-issuers/ci",
            """{"subject":null,"role":"viewer","scopes":["jobs:read"]}""",
            "application/merge-patch+json",
            ("If-Match", made.ETag!)
        );

        patched.Expect(HttpStatusCode.OK);
        Assert.Equal("viewer", patched.Body.GetProperty("role").GetString());
        Assert.Equal("bellhop", patched.Body.GetProperty("audience").GetString());
        Assert.Equal("null", patched.Body.GetProperty("subject").GetRawText());
        Assert.Equal(2, patched.Body.GetProperty("revision").GetInt32());
    }

    [Fact]
    public async Task What_can_do_more_than_the_caller_is_not_touched()
    {
        var project = await service.NewProjectAsync();
        var body = Document.Replace("developer", "owner").Replace(""","scopes":["events:publish"]""", "");
        (await project.Http.PostAsync("/v1/token-issuers", body)).Expect(HttpStatusCode.Created);
        await project.UseKeyAsync("admin");

        var answer = await project.Http.CallAsync(
            "PATCH",
            "/v1/token-issuers/ci",
            """{"role":"viewer"}""",
            "application/merge-patch+json",
            ("If-Match", "*")
        );

        answer.Expect(HttpStatusCode.Forbidden);
    }
}
