using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class ForgetSignInsTests(ServiceFixture service)
{
    [Fact]
    public async Task What_is_over_for_a_day_is_forgotten_and_nothing_else()
    {
        var account = await TestAccount.CreateAsync(service);
        await account.CookieAsync();
        await account.ExecuteAsync(
            """
            INSERT INTO sessions (user_id, id, secret_sha256, method, created_at, last_seen_at, expires_at)
            SELECT @Id, new_id(), uuid_send(gen_random_uuid()), 'password', now(), now(), now() - interval '25 hours';
            INSERT INTO token_families (user_id, id, token_epoch, created_at, expires_at, ended_at)
            SELECT @Id, new_id(), 1, now(), now() + interval '1 day', now() - interval '1 hour' * h FROM unnest(ARRAY[1, 25]) AS h;
            INSERT INTO login_throttles (email_sha256, failures, failed_at)
            VALUES (@EmailSha256, 3, now() - interval '25 hours')
            """
        );

        (await service.SendAsync(Guid.Empty, new ForgetSignIns.Command())).Unwrap();

        Assert.Equal(1, await account.AskAsync<long>("SELECT count(*) FROM sessions WHERE user_id = @Id"));
        Assert.Equal(1, await account.AskAsync<long>("SELECT count(*) FROM token_families WHERE user_id = @Id"));
        Assert.Equal(
            0,
            await account.AskAsync<long>("SELECT count(*) FROM login_throttles WHERE email_sha256 = @EmailSha256")
        );
    }
}
