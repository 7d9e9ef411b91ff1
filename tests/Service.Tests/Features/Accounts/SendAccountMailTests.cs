using System.Net;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Bellhop.Features.Accounts;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class SendAccountMailTests(ServiceFixture service)
{
    [Fact]
    public async Task The_token_comes_by_mail_stands_nowhere_else_and_works()
    {
        await using var server = await MailServer.StartAsync("off");
        await using var own = await StartAsync(service);
        using var http = await ConnectAsync(own, server);
        var account = await TestAccount.CreateAsync(own);

        var invited = await http.PostAsync("/v1/users/invite", """{"email":"eve@x.example","role":"viewer"}""");
        Assert.True(invited.Body.GetProperty("sent").GetBoolean(), invited.Text);
        var token = await TokenAsync(server, 1);
        using var client = TestAccount.Client(own.Address);
        (await RedeemAsync(client, token)).Expect(HttpStatusCode.NoContent);

        foreach (var email in new[] { "nobody@x.example", account.Email })
        {
            (await client.PostAsync("/v1/auth/reset", $$"""{"email":"{{email}}"}""")).Expect(HttpStatusCode.Accepted);
        }

        var reset = await TokenAsync(server, 2);
        (await client.PostAsync("/v1/auth/reset", $$"""{"email":"{{account.Email}}"}""")).Expect(
            HttpStatusCode.Accepted
        );
        Assert.Equal(
            0,
            await account.AskAsync<long>($"SELECT count(*) FROM job_history h WHERE h::text LIKE '%{reset}%'")
        );
        (await RedeemAsync(client, reset)).Expect(HttpStatusCode.NoContent);
        await account.CookieAsync("wrong donkey solar clip");
        Assert.Equal(2, server.Messages.Count);
    }

    [Fact]
    public async Task A_project_that_is_named_by_its_id_sends_them_whatever_it_is_called_and_whoever_has_its_old_name()
    {
        await using var server = await MailServer.StartAsync("off");
        await using var own = await OwnService.StartAsync(service, set: settings => settings with { Roles = ["api"] });
        await using var sending = await OwnService.StartAsync(
            service,
            set: settings =>
                settings with
                {
                    MailConnection = $"{own.ProjectId}/mail",
                    PublicUrl = "https://bellhop.example.com",
                },
            beside: own
        );
        using var http = await ConnectAsync(own, server);
        var moved = new PatchProject.Command(
            NameOrId.Parse("default"),
            MergePatch<ProjectDocument>.Of(new { name = "moved" }),
            Precondition.Any
        );
        (await own.SendAsync(own.ProjectId, moved)).Unwrap();
        (await own.SendAsync(own.ProjectId, new CreateProject.Command("default"))).Unwrap();
        var account = await TestAccount.CreateAsync(sending);

        using var client = TestAccount.Client(sending.Address);
        (await client.PostAsync("/v1/auth/reset", $$"""{"email":"{{account.Email}}"}""")).Expect(
            HttpStatusCode.Accepted
        );

        (await RedeemAsync(client, await TokenAsync(server, 1))).Expect(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task A_reset_goes_to_the_address_that_the_account_has_however_it_is_asked_for()
    {
        await using var server = await MailServer.StartAsync("off");
        await using var own = await StartAsync(service);
        using var http = await ConnectAsync(own, server);
        var account = await TestAccount.CreateAsync(own);
        using var client = TestAccount.Client(own.Address);

        (await client.PostAsync("/v1/auth/reset", $$"""{"email":"{{account.Email.ToUpperInvariant()}}"}""")).Expect(
            HttpStatusCode.Accepted
        );

        await TokenAsync(server, 1);
        Assert.Contains(
            $"To: {account.Email}",
            server.Messages[0].GetProperty("data").GetString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Users_cannot_enqueue_one()
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.PostAsync("/v1/jobs", """{"kind":"accounts.mail"}""");

        Assert.Equal("unknown_kind", answer.Code);
    }

    /// <param name="roles">What the process does: without workers no mail is sent.</param>
    internal static Task<OwnService> StartAsync(ServiceFixture service, IReadOnlyList<string>? roles = null) =>
        OwnService.StartAsync(
            service,
            set: settings =>
                settings with
                {
                    MailConnection = "default/mail",
                    PublicUrl = "https://bellhop.example.com",
                    Roles = roles ?? settings.Roles,
                }
        );

    internal static async Task<HttpClient> ConnectAsync(OwnService own, MailServer server)
    {
        var http = new HttpClient { BaseAddress = own.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await own.NewKeyAsync());
        var document =
            $$"""{"name":"mail","kind":"smtp","config":{"host":"127.0.0.1","port":{{server.Port}},"user":"{{MailServer.User}}","from":"Shop <help@shop.example>","tls":"off"},"secret":{"value":"{{MailServer.Password}}"} }""";
        (await http.PostAsync("/v1/connections", document)).Expect(HttpStatusCode.Created);
        return http;
    }

    private static async Task<string> TokenAsync(MailServer server, int count)
    {
        var messages = await Eventually.FitAsync(() => Task.FromResult(server.Messages), found => found.Count >= count);
        var data = Regex.Replace(messages[count - 1].GetProperty("data").GetString()!, "=\r\n", "").Replace("=3D", "=");
        var token = Regex.Match(data, "bhot_[0-9A-Za-z]{49}").Value;
        Assert.Contains("POST https://bellhop.example.com/v1/auth/redeem", data, StringComparison.Ordinal);
        return token;
    }

    private static Task<Answer> RedeemAsync(HttpClient client, string token) =>
        client.CallAsync("POST", "/v1/auth/redeem", $$"""{"token":"{{token}}","password":"wrong donkey solar clip"}""");
}
