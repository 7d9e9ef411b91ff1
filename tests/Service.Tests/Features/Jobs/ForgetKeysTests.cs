using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class ForgetKeysTests(ServiceFixture service)
{
    [Fact]
    public async Task Keys_whose_time_is_over_go_and_others_stay()
    {
        var project = await service.NewProjectAsync();
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO job_keys (project_id, key, job_id, until, expires_at)
            VALUES (@Id, 'over', @Id, 2, now() - interval '1 second'), (@Id, 'later', @Id, 2, now() + interval '1 hour'),
                (@Id, 'held', @Id, 1, 'infinity')
            """,
            new { project.Id }
        );

        await service.SendAsync(project.Id, new ForgetKeys.Command());

        Assert.Equal(
            "held later",
            await TestJobs.QueryAsync<string>(
                service.Database,
                "SELECT string_agg(key, ' ' ORDER BY key) FROM job_keys WHERE project_id = @Id",
                new { project.Id }
            )
        );
    }
}
