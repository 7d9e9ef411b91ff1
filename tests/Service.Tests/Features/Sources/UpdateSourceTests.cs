using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Sources;

public sealed class UpdateSourceTests(ServiceFixture service)
{
    [Fact]
    public async Task The_inbound_path_stays_and_so_does_a_secret_that_is_not_given()
    {
        var http = (await service.NewProjectAsync()).Http;
        var made = await http.PostAsync(
            "/v1/sources",
            """{"name":"x","scheme":"github","secret":"a secret of ours"}"""
        );

        var put = (await http.ChangeAsync("PUT", "/v1/sources/x", """{"scheme":"github"}""", made.ETag)).Expect(
            HttpStatusCode.OK
        );

        Assert.Equal(
            made.Body.GetProperty("inbound_path").GetString(),
            put.Body.GetProperty("inbound_path").GetString()
        );
    }

    [Theory]
    [InlineData("/v1/sources/new", """{"scheme":"github"}""")]
    [InlineData("/v1/sources/x", """{"scheme":"standard-webhooks"}""")]
    public async Task A_new_source_and_another_scheme_need_a_secret(string path, string document)
    {
        var http = (await service.NewProjectAsync()).Http;
        var made = await http.PostAsync(
            "/v1/sources",
            """{"name":"x","scheme":"github","secret":"a secret of ours"}"""
        );

        var answer = await http.ChangeAsync("PUT", path, document, path.EndsWith('x') ? made.ETag : null);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.Status);
        var error = answer.Body.GetProperty("errors")[0];
        Assert.Equal(
            ("/secret", "required"),
            (error.GetProperty("pointer").GetString(), error.GetProperty("code").GetString())
        );
    }
}
