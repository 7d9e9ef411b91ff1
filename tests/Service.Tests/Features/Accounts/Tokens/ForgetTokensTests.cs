using Bellhop.Features.Accounts.Tokens;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

public sealed class ForgetTokensTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tokens_of_a_login_that_ended_a_day_ago_are_deleted_and_no_others()
    {
        var project = await service.NewProjectAsync();
        var old = await TestUser.CreateAsync(service, project.Id);
        var young = await TestUser.CreateAsync(service, project.Id);
        await TestTokens.BeginAsync(service.Services, old.Id);
        await TestTokens.BeginAsync(service.Services, young.Id);
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            "UPDATE token_families SET expires_at = now() - interval '25 hours' WHERE user_id = @Id".With(
                new { old.Id },
                Token
            )
        );

        var report = await service.SendAsync(project.Id, new ForgetTokens.Command());

        Assert.True(report.Unwrap().Forgotten >= 1);
        Assert.Equal(
            [young.Id],
            await connection.QueryAsync<Guid>(
                "SELECT user_id FROM refresh_tokens WHERE user_id IN (@Old, @Young)".With(
                    new { Old = old.Id, Young = young.Id },
                    Token
                )
            )
        );
    }
}
