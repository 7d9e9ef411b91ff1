using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class InviteUserTests(ServiceFixture service)
{
    private const string Path = "/v1/users/invite";

    [Fact]
    public async Task An_invitation_shows_what_it_gives_and_no_token_and_a_second_one_replaces_it()
    {
        var project = await service.NewProjectAsync();

        var first = (
            await project.Http.PostAsync(Path, """{"email":"Eve@Example.com","role":"operator","queues":["mail"]}""")
        ).Expect(HttpStatusCode.Created);
        var second = (await project.Http.PostAsync(Path, """{"email":"eve@example.com","role":"viewer"}""")).Expect(
            HttpStatusCode.Created
        );

        Assert.Equal("mail", first.Body.GetProperty("queues")[0].GetString());
        Assert.False(first.Body.GetProperty("sent").GetBoolean());
        Assert.DoesNotContain("bhot_", first.Text, StringComparison.Ordinal);
        var open = (await project.Http.CallAsync("GET", "/v1/users/invitations")).Body.GetProperty("items");
        Assert.Equal(second.Id, Assert.Single(open.EnumerateArray()).GetProperty("id").GetGuid());
    }

    [Fact]
    public async Task Whether_there_is_an_account_is_not_told()
    {
        var project = await service.NewProjectAsync();
        var account = await TestAccount.CreateAsync(service);

        var known = await project.Http.PostAsync(Path, $$"""{"email":"{{account.Email}}","role":"viewer"}""");
        var unknown = await project.Http.PostAsync(Path, """{"email":"nobody@example.com","role":"viewer"}""");

        Assert.Equal(
            known.Body.EnumerateObject().Select(member => member.Name),
            unknown.Body.EnumerateObject().Select(member => member.Name)
        );
    }

    [Fact]
    public async Task Nobody_gives_away_more_than_he_has()
    {
        var project = await service.NewProjectAsync();
        var admin = await TestUser.CreateAsync(service, project.Id, "admin");

        (await admin.Http.PostAsync(Path, """{"email":"a@example.com","role":"owner"}""")).Expect(
            HttpStatusCode.Forbidden
        );
        (await admin.Http.PostAsync(Path, """{"email":"a@example.com","role":"admin"}""")).Expect(
            HttpStatusCode.Created
        );
    }

    [Theory]
    [InlineData("""{"email":"no address","role":"viewer"}""", "/email")]
    [InlineData("""{"email":"a@example.com","role":"king"}""", "/role")]
    [InlineData("""{"email":"a\u200bda@example.com","role":"viewer"}""", "/email")]
    [InlineData("""{"email":"\u202eada@example.com","role":"viewer"}""", "/email")]
    [InlineData("""{"email":"a@example.com\r\nBcc: b@example.com","role":"viewer"}""", "/email")]
    public async Task What_is_no_address_or_role_is_refused(string body, string pointer)
    {
        var project = await service.NewProjectAsync();

        var answer = (await project.Http.PostAsync(Path, body)).Expect(HttpStatusCode.UnprocessableEntity);

        Assert.Equal(pointer, answer.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }
}
