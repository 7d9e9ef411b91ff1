using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Running;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Running;

public sealed class JobClaimsTests(ServiceFixture service)
{
    [Fact]
    public async Task A_claim_takes_what_is_more_urgent_then_what_is_longer_due_and_no_more_than_asked()
    {
        await using var own = await StoppedAsync();
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var jobs = new[]
        {
            Job(4, now.AddHours(-3)),
            Job(3, now.AddHours(-1)),
            Job(3, now.AddHours(-2)),
            Job(1, now.AddHours(1)),
            Job(1, now.AddMinutes(-1)),
        };
        await TestJobs.EnqueueAsync(own.Database, own.Services, jobs);
        var claims = own.Services.GetRequiredService<JobClaims>();

        var first = await claims.TakeAsync([new(JobQueue.Default, 2)], 0);
        var second = await claims.TakeAsync([new(JobQueue.Default, 20)], 0);
        var third = await claims.TakeAsync([new(JobQueue.Default, 20)], 0);

        Assert.Equal([jobs[4].Id, jobs[2].Id], first.Jobs.Select(job => job.Job.Id));
        Assert.Equal([jobs[1].Id, jobs[0].Id], second.Jobs.Select(job => job.Job.Id));
        Assert.Empty(third.Jobs);
        Assert.All(first.Jobs, job => Assert.Equal((1L, (short)1), (job.Job.ClaimNo, job.Job.Attempt)));

        NewJob Job(short priority, DateTime due) =>
            TestJobs.Noop(own.ProjectId) with
            {
                Priority = priority,
                RunAt = due,
            };
    }

    [Fact]
    public async Task Paused_queues_those_of_remote_workers_and_those_without_a_free_slot_are_left_alone()
    {
        await using var own = await StoppedAsync();
        await TestJobs.ExecuteAsync(
            own.Database,
            """
            INSERT INTO queues (project_id, name, served_by, paused_at, retry)
            VALUES (@ProjectId, 'paused', 'service', now(), '{}'), (@ProjectId, 'remote', 'workers', NULL, '{}'),
                (@ProjectId, 'open', 'service', NULL, '{}')
            """,
            new { own.ProjectId }
        );
        var jobs = new[] { "paused", "remote", JobQueue.Default, "open" }
            .Select(queue => TestJobs.Noop(own.ProjectId) with { Queue = queue })
            .ToArray();
        await TestJobs.EnqueueAsync(own.Database, own.Services, jobs);
        var claims = own.Services.GetRequiredService<JobClaims>();

        var claim = await claims.TakeAsync([new(JobQueue.Default, 0)], 20);

        Assert.Equal([jobs[3].Id], claim.Jobs.Select(job => job.Job.Id));
    }

    [Fact]
    public async Task Of_many_who_claim_at_once_each_job_goes_to_one()
    {
        await using var own = await StoppedAsync();
        var jobs = Enumerable.Range(0, 200).Select(_ => TestJobs.Noop(own.ProjectId)).ToArray();
        await TestJobs.EnqueueAsync(own.Database, own.Services, jobs);
        var claims = own.Services.GetRequiredService<JobClaims>();

        var taken = new List<Guid>();
        while (taken.Count < jobs.Length)
        {
            var claimed = await Task.WhenAll(
                Enumerable.Range(0, 4).Select(_ => claims.TakeAsync([new(JobQueue.Default, 20)], 0))
            );
            taken.AddRange(claimed.SelectMany(claim => claim.Jobs).Select(job => job.Job.Id));
        }

        Assert.Equal(jobs.Select(job => job.Id).Order(), taken.Order());
    }

    /// <summary>A database nobody claims from but the test.</summary>
    private async Task<OwnService> StoppedAsync()
    {
        var own = await OwnService.StartAsync(service);
        await own.StopAsync();
        return own;
    }
}
