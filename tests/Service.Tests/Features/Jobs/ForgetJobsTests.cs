using System.Globalization;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class ForgetJobsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static DateTime Today => DateTime.UtcNow.Date;

    [Fact]
    public async Task Days_that_are_older_than_is_to_be_kept_are_dropped_and_others_stay()
    {
        await using var own = await OwnService.StartAsync(service, set: With(days: 30));
        await using var owner = await ConnectAsync(own);
        string[] old =
        [
            await MakeAsync(owner, "job_history", Today.AddDays(-32)),
            await MakeAsync(owner, "job_attempts", Today.AddDays(-31)),
            await MakeAsync(owner, "job_logs", Today.AddDays(-31)),
            await MakeAsync(owner, "queue_minutes", Today.AddDays(-31)),
        ];
        var kept = await MakeAsync(owner, "job_history", Today.AddDays(-30));

        Assert.Equal(old, await ForgetAsync(own));

        Assert.Empty(await ForgetAsync(own));
        Assert.True(await IsThereAsync(owner, kept));
        await own.StopAsync();
    }

    [Fact]
    public async Task A_day_that_somebody_reads_is_left_for_the_next_time()
    {
        await using var own = await OwnService.StartAsync(service, set: With(days: 3));
        await using var owner = await ConnectAsync(own);
        var day = await MakeAsync(owner, "job_history", Today.AddDays(-4));
        await using (var reader = await ConnectAsync(own))
        {
            await using var transaction = await reader.BeginTransactionAsync(Token);
            await reader.ExecuteAsync($"SELECT FROM {day}".With(null, Token));

            Assert.Empty(await ForgetAsync(own));
        }

        Assert.Equal([day], await ForgetAsync(own));
        await own.StopAsync();
    }

    private static Func<
        Bellhop.Infrastructure.Configuration.Settings,
        Bellhop.Infrastructure.Configuration.Settings
    > With(int days) => settings => settings with { Roles = ["api"], RetentionJobDays = days };

    private static async Task<IReadOnlyList<string>> ForgetAsync(OwnService own) =>
        (await own.SendAsync(own.ProjectId, new ForgetJobs.Command())).Unwrap().Dropped;

    private static async Task<NpgsqlConnection> ConnectAsync(OwnService own)
    {
        var connection = new NpgsqlConnection(Databases.ForOwner(own.OwnerConnectionString));
        await connection.OpenAsync(Token);
        return connection;
    }

    private static async Task<string> MakeAsync(NpgsqlConnection owner, string parent, DateTime day)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{parent}_{day:yyyyMMdd}");
        await owner.ExecuteAsync(
            string.Create(
                    CultureInfo.InvariantCulture,
                    $"CREATE TABLE {name} PARTITION OF {parent} FOR VALUES FROM ('{day:yyyy-MM-dd}Z') TO ('{day.AddDays(1):yyyy-MM-dd}Z')"
                )
                .With(null, Token)
        );
        return name;
    }

    private static Task<bool> IsThereAsync(NpgsqlConnection owner, string table) =>
        owner.QuerySingleAsync<bool>("SELECT to_regclass(@table) IS NOT NULL".With(new { table }, Token));
}
