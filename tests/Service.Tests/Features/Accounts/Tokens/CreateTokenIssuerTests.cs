using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class CreateTokenIssuerTests(ServiceFixture service)
{
    private const string Document =
        """{"name":"ci","issuer":"https://issuer.example.com","audience":"bellhop","subject":"shop","role":"developer","scopes":["events:publish"]}""";

    [Fact]
    public async Task It_is_shown_as_it_was_written()
    {
        var http = (await service.NewProjectAsync()).Http;

        var made = (await http.PostAsync("/v1/token-issuers", Document)).Expect(HttpStatusCode.Created);

        Assert.Equal($"/v1/token-issuers/{made.Id}", made.Location);
        Assert.Equal("https://issuer.example.com", made.Body.GetProperty("issuer").GetString());
        Assert.Equal("events:publish", made.Body.GetProperty("scopes")[0].GetString());
        Assert.Equal("name_taken", (await http.PostAsync("/v1/token-issuers", Document)).Code);
    }

    [Theory]
    [InlineData("""{"name":"ci","audience":"a","role":"viewer"}""", "/issuer")]
    [InlineData("""{"name":"ci","issuer":"https://10.0.0.1","audience":"a","role":"viewer"}""", "/issuer")]
    [InlineData("""{"name":"ci","issuer":"https://i.example.com?a=b","audience":"a","role":"viewer"}""", "/issuer")]
    [InlineData("""{"name":"ci","issuer":"bellhop","audience":"a","role":"viewer"}""", "/issuer")]
    [InlineData("""{"name":"ci","issuer":"https://i.example.com","role":"viewer"}""", "/audience")]
    [InlineData(
        """{"name":"ci","issuer":"https://i.example.com","audience":"a","jwks_url":"https://10.0.0.1/keys","role":"viewer"}""",
        "/jwks_url"
    )]
    [InlineData("""{"name":"ci","issuer":"https://i.example.com","audience":"a","role":"king"}""", "/role")]
    [InlineData(
        """{"name":"ci","issuer":"https://i.example.com","audience":"a","subject":"","role":"viewer"}""",
        "/subject"
    )]
    public async Task What_is_wrong_is_named(string document, string pointer)
    {
        var http = (await service.NewProjectAsync()).Http;

        var answer = await http.PostAsync("/v1/token-issuers", document);

        answer.Expect(HttpStatusCode.UnprocessableEntity);
        Assert.Equal(pointer, answer.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Fact]
    public async Task Nobody_has_a_token_do_what_they_may_not_do_themselves()
    {
        var project = await service.NewProjectAsync();
        await project.UseKeyAsync("admin");

        var answer = await project.Http.PostAsync(
            "/v1/token-issuers",
            Document.Replace("developer", "owner").Replace(""","scopes":["events:publish"]""", "")
        );

        answer.Expect(HttpStatusCode.Forbidden);
        (await project.Http.PostAsync("/v1/token-issuers", Document)).Expect(HttpStatusCode.Created);
        await project.UseKeyAsync("developer");
        (await project.Http.PostAsync("/v1/token-issuers", Document)).Expect(HttpStatusCode.Forbidden);
    }
}
