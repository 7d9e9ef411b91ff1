using Bellhop.Features.Connections;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class MailSenderTests(ServiceFixture service)
{
    private static readonly Mail Note = new(
        ["ada@shop.example", "Bob <bob@shop.example>"],
        "Order 1042: größer",
        "Two lines,\nand a dot:\n.\n",
        "0199c8c5b000@shop.example"
    );

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_is_handed_over_whole_and_once()
    {
        await using var server = await MailServer.StartAsync("off");

        var result = await SendAsync(server, Note);

        Assert.Equal(new MailResult(true, 250, null, false), result);
        var message = Assert.Single(server.Messages);
        Assert.Equal("help@shop.example", message.GetProperty("from").GetString());
        Assert.Equal(
            ["ada@shop.example", "bob@shop.example"],
            message.GetProperty("to").EnumerateArray().Select(to => to.GetString())
        );
        var data = message.GetProperty("data").GetString()!;
        Assert.Contains("\nMessage-Id: <0199c8c5b000@shop.example>\r\n", data, StringComparison.Ordinal);
        Assert.Contains("\nSubject: Order 1042: =?utf-8?", data, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\nAuto-Submitted: auto-generated\r\n", data, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nTwo lines,\r\nand a dot:\r\n.\r\n", data, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gone@shop.example", 550, true)]
    [InlineData("later@shop.example", 451, false)]
    public async Task A_recipient_that_is_refused_is_told_and_nobody_gets_it(string to, int code, bool isPermanent)
    {
        await using var server = await MailServer.StartAsync("off");

        var result = await SendAsync(server, Note with { To = ["ada@shop.example", to] });

        Assert.Equal((false, code, isPermanent), (result.IsSent, result.Code, result.IsPermanent));
        Assert.Empty(server.Messages);
    }

    [Fact]
    public async Task A_login_that_is_refused_is_permanent_and_does_not_tell_the_password()
    {
        await using var server = await MailServer.StartAsync("off");

        var result = await SendAsync(server, Note, "canary-wrong");

        Assert.Equal((false, 535, true), (result.IsSent, result.Code, result.IsPermanent));
        Assert.DoesNotContain("canary", result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_would_make_other_headers_or_is_no_address_is_refused_before_anything_is_sent()
    {
        await using var server = await MailServer.StartAsync("off");
        Mail[] faults =
        [
            Note with
            {
                Subject = "a\r\nBcc: x@y.example",
            },
            Note with
            {
                Subject = "a\nb",
            },
            Note with
            {
                Subject = "",
            },
            Note with
            {
                To = [],
            },
            Note with
            {
                To = ["ada@shop.example\r\nRCPT TO:<x@y.example>"],
            },
            Note with
            {
                To = ["ada@shop.example, x@y.example"],
            },
            Note with
            {
                To = ["ada"],
            },
            Note with
            {
                MessageId = "a@b>\r\nX: y",
            },
        ];

        foreach (var mail in faults)
        {
            var result = await SendAsync(server, mail);
            Assert.Equal((mail, false, null, true), (mail, result.IsSent, result.Code, result.IsPermanent));
            Assert.DoesNotContain('\n', result.Message!);
        }

        Assert.Empty(server.Messages);
    }

    [Fact]
    public async Task A_server_that_is_away_may_be_tried_again()
    {
        var server = await MailServer.StartAsync("off");
        await server.DisposeAsync();

        var result = await SendAsync(server, Note);

        Assert.Equal((false, null, false), (result.IsSent, result.Code, result.IsPermanent));
    }

    [Fact]
    public async Task A_server_that_asks_for_no_login_is_told_none()
    {
        await using var server = await MailServer.StartAsync("off", asksForLogin: false);

        var result = await SendAsync(server, Note, password: null);

        Assert.True(result.IsSent, result.Message);
    }

    private async Task<MailResult> SendAsync(MailServer server, Mail mail, string? password = MailServer.Password)
    {
        var project = await service.NewProjectAsync();
        var login = password is null ? "" : $"\"user\":\"{MailServer.User}\",";
        var secret = password is null ? "" : $$""","secret":{"value":"{{password}}"}""";
        await project.MakeAsync(
            "mail",
            $$"""{"kind":"smtp","config":{"host":"127.0.0.1","port":{{server.Port}},{{login}}"from":"Shop <help@shop.example>","tls":"off"}{{secret}} }"""
        );
        var smtp = await service.Services.GetRequiredService<ConnectionCache>().FindAsync(project.Id, "mail", Token);
        Assert.DoesNotContain("canary", $"{smtp}", StringComparison.Ordinal);
        return await service.Services.GetRequiredService<MailSender>().SendAsync(smtp!, mail, Token);
    }
}
