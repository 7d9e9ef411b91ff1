using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Running;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
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
        var claims = ActivatorUtilities.CreateInstance<JobClaims>(own.Services);

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
    public async Task A_queue_that_cannot_be_claimed_from_costs_no_other_what_was_claimed()
    {
        await using var own = await StoppedAsync();
        await TestJobs.ExecuteAsync(
            own.Database,
            """
            INSERT INTO queues (project_id, name, served_by, max_running, retry)
            SELECT @ProjectId, 'limited-' || n, 'service', 5, '{}' FROM generate_series(0, 6) AS n
            """,
            new { own.ProjectId }
        );
        await using var owner = new NpgsqlConnection(own.OwnerConnectionString + ";Search Path=bellhop");
        await owner.OpenAsync(TestContext.Current.CancellationToken);
        await owner.ExecuteAsync(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
            CREATE TRIGGER refuse BEFORE UPDATE ON jobs FOR EACH ROW WHEN (NEW.priority = 4) EXECUTE FUNCTION refuse();
            """
        );
        var jobs = Enumerable
            .Range(0, 7)
            .Select(queue =>
                TestJobs.Noop(own.ProjectId) with
                {
                    Queue = $"limited-{queue}",
                    Priority = queue == 0 ? (short)4 : (short)3,
                }
            )
            .ToArray();
        await TestJobs.EnqueueAsync(own.Database, own.Services, jobs);
        var claims = ActivatorUtilities.CreateInstance<JobClaims>(own.Services);

        var claimed = new List<Guid>();
        var faults = 0;
        for (var round = 0; round < 20; round++)
        {
            try
            {
                var claim = await claims.TakeAsync([], 20);
                claimed.AddRange(claim.Jobs.Select(job => job.Job.Id));
                faults += claim.Fault is null ? 0 : 1;
            }
            catch (PostgresException)
            {
                faults++; // it came first
            }
        }

        Assert.Equal(jobs.Skip(1).Select(job => job.Id).Order(), claimed.Order());
        Assert.InRange(faults, 1, 20);
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
        var claims = ActivatorUtilities.CreateInstance<JobClaims>(own.Services);

        var claim = await claims.TakeAsync([new(JobQueue.Default, 0)], 20);

        Assert.Equal([jobs[3].Id], claim.Jobs.Select(job => job.Job.Id));
    }

    [Fact]
    public async Task Of_many_who_claim_at_once_each_job_goes_to_one()
    {
        await using var own = await StoppedAsync();
        var jobs = Enumerable.Range(0, 200).Select(_ => TestJobs.Noop(own.ProjectId)).ToArray();
        await TestJobs.EnqueueAsync(own.Database, own.Services, jobs);
        var taken = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => TakeAllAsync(own))));

        Assert.Equal(jobs.Select(job => job.Id).Order(), taken.SelectMany(ids => ids).Order());
    }

    /// <summary>A project with much to do does not keep one with little waiting, and weights are kept.</summary>
    [Fact]
    public async Task Projects_share_the_starts_of_their_queues_by_weight()
    {
        await using var own = await StoppedAsync();
        var (light, heavy) = (await NewQueueAsync(own, 1), await NewQueueAsync(own, 3));
        await TestJobs.EnqueueAsync(own.Database, own.Services, [.. Enumerable.Range(0, 200).Select(_ => Job(light))]);
        await TestJobs.EnqueueAsync(own.Database, own.Services, [.. Enumerable.Range(0, 200).Select(_ => Job(heavy))]);
        var claims = ActivatorUtilities.CreateInstance<JobClaims>(own.Services);

        var starts = new List<Guid>();
        foreach (var free in Enumerable.Range(0, 100).Select(number => 1 + (number % 3)))
        {
            var claim = await claims.TakeAsync([new("shared", free)], 0);
            starts.AddRange(claim.Jobs.Select(job => job.Job.ProjectId));
        }

        var share = starts.Count(project => project == heavy) / (double)starts.Count;
        Assert.InRange(share, 0.72, 0.78);

        static NewJob Job(Guid project) => TestJobs.Noop(project) with { Queue = "shared" };
    }

    /// <summary>By Jain's index of fairness, which is 1 where all have the same.</summary>
    [Fact]
    public async Task Twenty_projects_of_one_weight_have_the_same_share_however_much_each_has_to_do()
    {
        const int Projects = 20;
        await using var own = await StoppedAsync();
        for (var number = 0; number < Projects; number++)
        {
            var project = await NewQueueAsync(own, 1);
            var job = TestJobs.Noop(project) with { Queue = "shared" };
            await TestJobs.EnqueueAsync(
                own.Database,
                own.Services,
                [.. Enumerable.Range(0, 40 + (20 * number)).Select(_ => job with { Id = Guid.CreateVersion7() })]
            );
        }

        var claims = ActivatorUtilities.CreateInstance<JobClaims>(own.Services);
        var starts = new List<Guid>();
        while (starts.Count < Projects * 25)
        {
            starts.AddRange((await claims.TakeAsync([new("shared", 7)], 0)).Jobs.Select(job => job.Job.ProjectId));
        }

        var counts = starts.CountBy(project => project).Select(pair => (double)pair.Value).ToArray();
        var index = Math.Pow(counts.Sum(), 2) / (Projects * counts.Sum(count => count * count));
        Assert.InRange(index, 0.98, 1);
    }

    /// <summary>Nothing waits for ever behind what is more urgent.</summary>
    [Fact]
    public async Task One_start_in_sixteen_is_that_of_the_job_longest_due()
    {
        await using var own = await StoppedAsync();
        var old = TestJobs.Noop(own.ProjectId) with
        {
            Priority = 4,
            RunAt = TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(-1),
        };
        await TestJobs.EnqueueAsync(own.Database, own.Services, old);
        await TestJobs.EnqueueAsync(
            own.Database,
            own.Services,
            [.. Enumerable.Range(0, 100).Select(_ => TestJobs.Noop(own.ProjectId) with { Priority = 1 })]
        );
        var claims = ActivatorUtilities.CreateInstance<JobClaims>(own.Services);

        var order = new List<Guid>();
        while (order.Count < 40)
        {
            order.AddRange((await claims.TakeAsync([new(JobQueue.Default, 1)], 0)).Jobs.Select(job => job.Job.Id));
        }

        Assert.InRange(order.IndexOf(old.Id), 1, 16);
    }

    /// <summary>A job that was lost twice may be what ends its process: it is tried with no other suspect beside it.</summary>
    [Fact]
    public async Task What_was_lost_twice_is_claimed_alone_among_what_was_lost()
    {
        await using var own = await StoppedAsync();
        var jobs = Enumerable.Range(0, 4).Select(_ => TestJobs.Noop(own.ProjectId)).ToArray();
        await TestJobs.EnqueueAsync(own.Database, own.Services, jobs);
        foreach (var (job, lost) in jobs.Zip([2, 2, 1, 0]))
        {
            await TestJobs.ExecuteAsync(
                own.Database,
                "UPDATE jobs SET lost = @Lost WHERE project_id = @ProjectId AND id = @Id",
                new
                {
                    own.ProjectId,
                    job.Id,
                    Lost = lost,
                }
            );
        }

        var claim = await ActivatorUtilities
            .CreateInstance<JobClaims>(own.Services)
            .TakeAsync([new(JobQueue.Default, 10)], 0);

        Assert.Equal([jobs[0].Id, jobs[3].Id], claim.Jobs.Select(job => job.Job.Id));
    }

    private static async Task<Guid> NewQueueAsync(OwnService own, int weight)
    {
        var project = Guid.CreateVersion7();
        await TestJobs.ExecuteAsync(
            own.Database,
            """
            INSERT INTO projects (id, name, created_at, updated_at) VALUES (@Project, @Project::text, now(), now());
            INSERT INTO queues (project_id, name, served_by, weight, retry) VALUES (@Project, 'shared', 'service', @Weight, '{}')
            """,
            new { Project = project, Weight = weight }
        );
        return project;
    }

    /// <summary>Claims as a process of its own, until a whole look finds nothing more.</summary>
    private static async Task<IReadOnlyList<Guid>> TakeAllAsync(OwnService own)
    {
        var claims = ActivatorUtilities.CreateInstance<JobClaims>(own.Services);
        var ids = new List<Guid>();
        for (var (found, isWhole) = (0, true); found > 0 || isWhole; )
        {
            var claim = await claims.TakeAsync([new(JobQueue.Default, 20)], 0);
            found = claim.Jobs.Count;
            isWhole = found > 0 || claim.IsContended || claim.Patience is not null;
            ids.AddRange(claim.Jobs.Select(job => job.Job.Id));
        }

        return ids;
    }

    /// <summary>A database nobody claims from but the test.</summary>
    private async Task<OwnService> StoppedAsync()
    {
        var own = await OwnService.StartAsync(service);
        await own.StopAsync();
        return own;
    }
}
