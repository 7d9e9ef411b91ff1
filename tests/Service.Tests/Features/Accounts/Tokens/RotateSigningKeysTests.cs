using System.Text.Json;
using Bellhop.Features.Accounts.Tokens;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class RotateSigningKeysTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_next_key_becomes_the_current_one_and_the_one_before_stays_published()
    {
        await using var own = await OwnService.StartAsync(service);
        var before = await PublishedAsync(own);

        var report = await own.SendAsync(new RotateSigningKeys.Command { Now = true });

        var after = await PublishedAsync(own);
        Assert.True(report.Rotated);
        Assert.Contains(report.Current, before);
        Assert.DoesNotContain(report.Next, before);
        Assert.Equal(before.Append(report.Next).Order(StringComparer.Ordinal), after);
    }

    [Fact]
    public async Task The_duty_waits_for_thirty_days()
    {
        await using var own = await OwnService.StartAsync(service);
        await PublishedAsync(own);

        Assert.False((await own.SendAsync(new RotateSigningKeys.Command())).Rotated);
        await ExecuteAsync(own, "UPDATE signing_keys SET activated_at = activated_at - interval '29 days 23 hours'");
        Assert.False((await own.SendAsync(new RotateSigningKeys.Command())).Rotated);
        await ExecuteAsync(own, "UPDATE signing_keys SET activated_at = activated_at - interval '2 hours'");
        Assert.True((await own.SendAsync(new RotateSigningKeys.Command())).Rotated);
        Assert.False((await own.SendAsync(new RotateSigningKeys.Command())).Rotated);
    }

    [Fact]
    public async Task A_previous_key_goes_when_what_it_signed_has_ended_and_at_once_where_it_is_revoked()
    {
        await using var own = await OwnService.StartAsync(service);
        await own.SendAsync(new RotateSigningKeys.Command { Now = true });
        Assert.Equal(3, (await PublishedAsync(own)).Length);

        await ExecuteAsync(own, "UPDATE signing_keys SET retires_at = retires_at - interval '15 minutes'");
        Assert.Equal(1, (await own.SendAsync(new RotateSigningKeys.Command())).Removed);
        Assert.Equal(2, (await PublishedAsync(own)).Length);

        var report = await own.SendAsync(new RotateSigningKeys.Command { Now = true, RevokesPrevious = true });
        Assert.Equal(
            ((string[])[report.Current, report.Next]).Order(StringComparer.Ordinal),
            await PublishedAsync(own)
        );
    }

    [Fact]
    public async Task An_operator_does_it_now_and_that_is_on_record()
    {
        await using var own = await OwnService.StartAsync(service);
        var environment = CliProcess.On(service);
        environment["ConnectionStrings__Bellhop"] = own.OwnerConnectionString;

        var run = await CliProcess.RunAsync(environment, "tokens", "rotate-key", "--json");

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        var current = JsonElement.Parse(run.Output).GetProperty("current").GetString();
        await using var connection = await own.Database.OpenConnectionAsync(Token);
        Assert.Equal(
            $"signing-keys/{current}",
            await connection.QuerySingleAsync<string>(
                "SELECT target FROM audit_entries WHERE action = 'signing-keys.rotate'".With(null, Token)
            )
        );
    }

    private static async Task<string[]> PublishedAsync(OwnService own)
    {
        using var client = new HttpClient { BaseAddress = own.Address };
        var answer = await client.GetStringAsync("/.well-known/jwks.json", Token);
        return
        [
            .. JsonElement
                .Parse(answer)
                .GetProperty("keys")
                .EnumerateArray()
                .Select(key => key.GetProperty("kid").GetString()!),
        ];
    }

    private static async Task ExecuteAsync(OwnService own, string sql)
    {
        await using var connection = await own.Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(sql.With(null, Token));
    }
}
