using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class ForgetKeysTests(ServiceFixture service)
{
    [Fact]
    public async Task Keys_whose_time_is_over_or_that_no_job_holds_go_and_others_stay()
    {
        var project = await service.NewProjectAsync();
        var worker = await TestWorker.ForAsync(project, "mail");
        await worker.EnqueueAsync(new { unique = new { key = "held" } });
        await worker.EnqueueAsync(new { unique = new { key = "begins", until = "start" } });
        await TestJobs.ExecuteAsync(
            service.Database,
            """
            INSERT INTO job_keys (project_id, key, job_id, until, expires_at)
            VALUES (@Id, 'over', @Id, 2, now() - interval '1 second'), (@Id, 'later', @Id, 2, now() + interval '1 hour'),
                (@Id, 'loose', @Id, 1, 'infinity'), (@Id, 'loose-too', @Id, 0, 'infinity')
            """,
            new { project.Id }
        );

        await Eventually.FitAsync(
            async () =>
            {
                await service.SendAsync(project.Id, new ForgetKeys.Command()); // goes on where it ended: others have keys too
                return await TestJobs.QueryAsync<string>(
                    service.Database,
                    "SELECT string_agg(key, ' ' ORDER BY key) FROM job_keys WHERE project_id = @Id",
                    new { project.Id }
                );
            },
            keys => keys == "begins held later"
        );
    }
}
