using System.Net;
using System.Text.Json;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class CreateConnectionTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Kinds => [.. TestConnections.Sound.Keys];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Each_kind_is_made_and_shown_as_it_was_written_without_its_secret(string kind)
    {
        var project = await service.NewProjectAsync();
        var document = TestConnections.Sound[kind];

        var made = (await project.Http.PostAsync(TestConnections.Path, Named(document, "mine"))).Expect(
            HttpStatusCode.Created
        );

        var shown = (await project.Http.CallAsync("GET", made.Location!)).Expect(HttpStatusCode.OK).Body;
        Assert.Equal($"{TestConnections.Path}/{made.Id}", made.Location);
        Assert.Equal(
            JsonElement.Parse(document).GetProperty("config").GetRawText(),
            shown.GetProperty("config").GetRawText()
        );
        Assert.Equal(kind == "llm" ? "" : """{"set":true}""", $"{shown.GetProperty("secret")}");
    }

    [Fact]
    public async Task Its_secret_stands_nowhere_in_the_clear()
    {
        var project = await service.NewProjectAsync();
        var document = TestConnections.Sound["http"].Replace("\"s\"", "\"canary-8c1\"");
        var made = await project.MakeAsync("mine", document);

        await using var connection = await service.Database.OpenConnectionAsync(Token);
        var row = await connection.QuerySingleAsync<string>(
            "SELECT c::text FROM connections c WHERE project_id = @Id".With(new { project.Id }, Token)
        );

        Assert.DoesNotContain("canary", row + made.Text, StringComparison.Ordinal);
        Assert.Contains(",v1.", row, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_named_secret_is_shown_by_its_name_and_stays_as_long_as_it_is_used()
    {
        var project = await service.NewProjectAsync();
        await project.SendAsync(new PutSecret.Command("crm-token", "value"));
        var made = await project.MakeAsync(
            "crm",
            """{"kind":"http","config":{"base_url":"https://crm.example.com","auth":{"type":"bearer"}},"secret":"crm-token"}"""
        );

        var refused = await project.Http.CallAsync("DELETE", "/v1/secrets/crm-token");
        var listed = await project.Http.CallAsync("GET", "/v1/secrets");
        await project.Http.ChangeAsync("DELETE", $"{TestConnections.Path}/crm", ifMatch: made.ETag);
        var deleted = await project.Http.CallAsync("DELETE", "/v1/secrets/crm-token");

        Assert.Equal("crm-token", made.Body.GetProperty("secret").GetString());
        Assert.Equal((HttpStatusCode.Conflict, "secret_in_use"), (refused.Status, refused.Code));
        Assert.Contains("connections/crm", refused.Text, StringComparison.Ordinal);
        Assert.Equal("connections/crm", listed.Body.GetProperty("items")[0].GetProperty("used_by")[0].GetString());
        Assert.Equal(HttpStatusCode.NoContent, deleted.Status);
    }

    [Theory]
    [InlineData("""{}""", "/kind unknown_kind", "/config required")]
    [InlineData("""{"kind":"ftp","config":{}}""", "/kind unknown_kind")]
    [InlineData("""{"kind":"http","config":{"base":"x"}}""", "/config/base unknown_member")]
    [InlineData("""{"kind":"http","config":[]}""", "/config wrong_type")]
    [InlineData("""{"kind":"http","config":{"base_url":5}}""", "/config/base_url wrong_type")]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","auth":{"typ":"bearer"}}}""",
        "/config/auth/typ unknown_member"
    )]
    [InlineData("""{"kind":"http","config":{}}""", "/config/base_url required")]
    [InlineData("""{"kind":"http","config":{"base_url":"https://a.example/?q=1"}}""", "/config/base_url url_invalid")]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","auth":{"type":"digest"}},"secret":{"value":"s"}}""",
        "/config/auth/type unknown_type"
    )]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","auth":{"type":"header"}},"secret":{"value":"s"}}""",
        "/config/auth/name required"
    )]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","auth":{"type":"header","name":"Host"}},"secret":{"value":"s"}}""",
        "/config/auth/name invalid_name"
    )]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","auth":{"type":"basic","user":"a:b"}},"secret":{"value":"s"}}""",
        "/config/auth/user invalid_user"
    )]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","auth":{"type":"bearer","user":"a"}},"secret":{"value":"s"}}""",
        "/config/auth/user not_used"
    )]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","auth":{"type":"oauth2","token_url":"https://10.0.0.1/t"}},"secret":{"value":"s"}}""",
        "/config/auth/token_url address_not_allowed",
        "/config/auth/client_id required"
    )]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","auth":{"type":"bearer"}}}""",
        "/secret required"
    )]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","auth":{"type":"bearer"}},"secret":{"value":"a\nb"}}""",
        "/secret/value invalid_secret"
    )]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example"},"secret":{"value":"s"}}""",
        "/secret not_used"
    )]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","rate":{"requests":0,"seconds":1}}}""",
        "/config/rate out_of_range"
    )]
    [InlineData(
        """{"kind":"http","config":{"base_url":"https://a.example","allowed_hosts":["b.example","169.254.169.254"]}}""",
        "/config/allowed_hosts/1 address_not_allowed"
    )]
    [InlineData(
        """{"kind":"postgresql","config":{"host":"db.example/x","database":"d","user":"u","tls":"on"},"secret":{"value":"s"}}""",
        "/config/host host_invalid",
        "/config/tls unknown_word"
    )]
    [InlineData(
        """{"kind":"postgresql","config":{"host":"10.0.0.1","database":"d","user":"u"},"secret":{"value":"s"}}""",
        "/config/host address_not_allowed"
    )]
    [InlineData(
        """{"kind":"mysql","config":{"host":"8.8.8.8","port":5432,"user":"u","tls":"off"},"secret":{"value":"s"}}""",
        "/config/port port_not_allowed",
        "/config/database out_of_range",
        "/config/tls plain_text_not_allowed"
    )]
    [InlineData("""{"kind":"smtp","config":{"host":"mail.example","from":"shop"}}""", "/config/from invalid_address")]
    [InlineData(
        """{"kind":"smtp","config":{"host":"mail.example","from":"a@b.example\r\nBcc: c@d.example"}}""",
        "/config/from invalid_address"
    )]
    [InlineData(
        """{"kind":"smtp","config":{"host":"mail.example","from":"a@b.example","user":"u"}}""",
        "/secret required"
    )]
    [InlineData(
        """{"kind":"s3","config":{"endpoint":"https://s3.example","region":"r","bucket":"A","access_key_id":"k"},"secret":{"value":"s"}}""",
        "/config/bucket invalid_bucket"
    )]
    [InlineData("""{"kind":"llm","config":{"base_url":"https://llm.example"}}""", "/config/model out_of_range")]
    [InlineData(
        """{"kind":"llm","config":{"base_url":"https://llm.example","model":"m"},"secret":"not-there"}""",
        "/secret unknown_secret"
    )]
    [InlineData(
        """{"kind":"llm","config":{"base_url":"https://llm.example","model":"m"},"secret":"Not A Name"}""",
        "/secret invalid_name"
    )]
    [InlineData(
        """{"kind":"llm","config":{"base_url":"https://llm.example","model":"m"},"secret":{"set":true}}""",
        "/secret nothing_to_keep"
    )]
    [InlineData(
        """{"kind":"llm","config":{"base_url":"https://llm.example","model":"m"},"secret":{"val":"s"}}""",
        "/secret/val unknown_member"
    )]
    [InlineData(
        """{"kind":"llm","config":{"base_url":"https://llm.example","model":"m"},"secret":7}""",
        "/secret wrong_type"
    )]
    public async Task What_is_wrong_is_pointed_at(string document, params string[] faults)
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.PostAsync(TestConnections.Path, Named(document, "mine"));

        Assert.True((int)answer.Status is 400 or 422, answer.Text);
        Assert.Equal(faults, answer.Errors().Select(error => $"{error.Pointer} {error.Code}"));
    }

    [Fact]
    public async Task A_name_that_is_taken_is_409()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("mine", TestConnections.Sound["llm"]);

        var answer = await project.Http.PostAsync(TestConnections.Path, Named(TestConnections.Sound["http"], "mine"));

        Assert.Equal((HttpStatusCode.Conflict, "name_taken"), (answer.Status, answer.Code));
    }

    private static string Named(string document, string name) =>
        "{\"name\":\"" + name + "\"" + (document == "{}" ? "}" : "," + document[1..]);
}
