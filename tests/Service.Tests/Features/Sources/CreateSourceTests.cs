using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Sources;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Sources;

public sealed class CreateSourceTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_source_is_made_and_says_where_webhooks_go()
    {
        var project = await service.NewProjectAsync();

        using var answer = await project.Http.PostAsJsonAsync(
            "/v1/sources",
            new
            {
                name = "github",
                scheme = "github",
                secret = "a secret of ours",
            },
            Token
        );

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        var made = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal($"/v1/sources/{made.GetProperty("id").GetGuid()}", answer.Headers.Location?.ToString());
        Assert.Matches("^/in/[A-Za-z0-9]{43}$", made.GetProperty("inbound_path").GetString());
        Assert.False(made.TryGetProperty("secret", out _));
    }

    [Fact]
    public async Task The_secret_does_not_stand_in_the_database()
    {
        var project = await service.NewProjectAsync();
        await project.SendAsync(new CreateSource.Command(new SourceDocument("github", "github", "a secret of ours")));

        await using var connection = await project.Database.OpenConnectionAsync(Token);
        var row = await connection.QuerySingleAsync<string>(
            "SELECT sources::text FROM sources WHERE project_id = @Id",
            new { project.Id }
        );

        Assert.DoesNotContain("secret", row, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_is_taken_once_in_a_project()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var command = new CreateSource.Command(new SourceDocument("github", "github", "a secret of ours"));

        Assert.Null((await project.SendAsync(command)).Problem);
        Assert.Equal("name_taken", (await project.SendAsync(command)).Problem?.Kind.Code);
        Assert.Null((await other.SendAsync(command)).Problem);
    }

    [Theory]
    [InlineData("No Slug", "github", "12345678", "/name", "invalid_name")]
    [InlineData("x", "gitlab", "12345678", "/scheme", "unknown_scheme")]
    [InlineData("x", "github", "1234567", "/secret", "invalid_secret")]
    [InlineData("x", "standard-webhooks", "12345678", "/secret", "invalid_secret")]
    public async Task What_is_no_source_is_refused(
        string name,
        string scheme,
        string secret,
        string pointer,
        string code
    )
    {
        var project = await service.NewProjectAsync();

        var problem = (
            await project.SendAsync(new CreateSource.Command(new SourceDocument(name, scheme, secret)))
        ).Problem;

        Assert.Equal((pointer, code), (problem!.Errors[0].Pointer, problem.Errors[0].Code));
    }

    [Theory]
    [InlineData("{}", 422)]
    [InlineData("""{"name":null,"scheme":null,"secret":null}""", 422)]
    [InlineData("""{"name":"x","scheme":"github","secret":"12345678","colour":"red"}""", 400)]
    public async Task Members_that_are_missing_or_unknown_are_told(string body, int status)
    {
        var project = await service.NewProjectAsync();

        using var answer = await project.Http.PostAsync(
            new Uri("/v1/sources", UriKind.Relative),
            new StringContent(body, Encoding.UTF8, "application/json"),
            Token
        );

        Assert.Equal(status, (int)answer.StatusCode);
    }
}
