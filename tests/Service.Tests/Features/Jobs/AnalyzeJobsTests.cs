using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class AnalyzeJobsTests(ServiceFixture service)
{
    [Fact]
    public async Task A_table_that_has_grown_is_looked_at_anew_and_one_that_has_not_is_let_be()
    {
        await using var own = await OwnService.StartAsync(service, set: settings => settings with { Roles = ["api"] });
        await using var owner = new NpgsqlConnection(own.OwnerConnectionString + ";Search Path=bellhop");
        await owner.OpenAsync(TestContext.Current.CancellationToken);
        await owner.ExecuteAsync("VACUUM ANALYZE jobs");
        Assert.False(await AnalyzeAsync(own));

        await owner.ExecuteAsync(
            """
            INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, args)
            SELECT q.project_id, new_id(), q.queue_id, now(), 1, 20, 'noop', json_build_object('filler', repeat('x', 500))
            FROM queues q, generate_series(1, 1000)
            WHERE q.name = 'default'
            """
        );
        Assert.True(await AnalyzeAsync(own));
        Assert.Equal(
            1000,
            await owner.ExecuteScalarAsync<float>("SELECT reltuples FROM pg_class WHERE oid = 'jobs'::regclass")
        );
        Assert.False(await AnalyzeAsync(own));
    }

    private static async Task<bool> AnalyzeAsync(OwnService own) =>
        (await own.SendAsync(own.ProjectId, new AnalyzeJobs.Command())).Unwrap().IsNew;
}
