using System.Collections.Concurrent;
using System.Net;
using Bellhop.Features.Accounts.Tokens;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class SigningKeysTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Keys_change_again_and_again_under_load_on_two_replicas_and_no_call_fails()
    {
        await using var own = await OwnService.StartAsync(service);
        await using var other = await OwnService.StartAsync(service, beside: own);
        var key = await own.NewKeyAsync();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var statuses = new ConcurrentBag<HttpStatusCode>();
        var load = Enumerable.Range(0, 4).Select(index => CallAsync(index % 2 == 0)).ToArray();

        for (var turn = 0; turn < 5; turn++)
        {
            var before = statuses.Count;
            await own.SendAsync(new RotateSigningKeys.Command { Now = true });
            await Eventually.BeTrueAsync(() => Task.FromResult(statuses.Count > before + 20), "calls go on");
        }

        await over.CancelAsync();
        await Task.WhenAll(load);
        Assert.True(statuses.Count > 100, $"{statuses.Count} calls");
        Assert.All(statuses, status => Assert.Equal(HttpStatusCode.OK, status));

        // signed here and shown there
        async Task CallAsync(bool isHere)
        {
            while (!over.IsCancellationRequested)
            {
                var (status, body) = await TestTokens.AskAsync(
                    isHere ? own.Address : other.Address,
                    new { grant_type = "api_key", api_key = key }
                );
                statuses.Add(status);
                statuses.Add(
                    await TestTokens.TryAsync(
                        isHere ? other.Address : own.Address,
                        body.GetProperty("access_token").GetString()!
                    )
                );
            }
        }
    }

    [Fact]
    public async Task A_key_that_is_removed_is_rejected_within_a_minute_elsewhere()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var own = await OwnService.StartAsync(service);
        await using var other = await OwnService.StartAsync(
            service,
            beside: own,
            adjust: builder => builder.Services.AddSingleton<TimeProvider>(clock)
        );
        var (_, body) = await TestTokens.AskAsync(
            own.Address,
            new { grant_type = "api_key", api_key = await own.NewKeyAsync() }
        );
        var token = body.GetProperty("access_token").GetString()!;
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(other.Address, token));

        await own.SendAsync(new RotateSigningKeys.Command { Now = true, RevokesPrevious = true });

        Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(own.Address, token));
        clock.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(other.Address, token));
    }

    [Fact]
    public async Task The_private_half_is_sealed()
    {
        await using var own = await OwnService.StartAsync(service);
        await own.SendAsync(new RotateSigningKeys.Command { Now = true });
        await using var connection = await own.Database.OpenConnectionAsync(Token);

        var kept = await connection.QueryAsync<string>("SELECT private_key FROM signing_keys".With(null, Token));

        Assert.All(kept, text => Assert.StartsWith("v1.", text, StringComparison.Ordinal));
    }
}
