using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class JobChannelTests(ServiceFixture service)
{
    [Fact]
    public async Task Jobs_of_many_callers_are_stored_each_with_its_own_answer_and_one_that_is_refused_fails_none_beside_it()
    {
        var token = TestContext.Current.CancellationToken;
        var project = (await service.NewProjectAsync()).Id;
        var channel = service.Services.GetRequiredService<JobChannel>();
        NewJob[] jobs =
        [
            .. Enumerable
                .Range(0, 300)
                .Select(number => Job(project, number % 100 == 50 ? "{" : $$"""{"n":{{number}}}""")),
        ];
        var answers = jobs.Select(job => channel.StoreAsync(job, token)).ToArray();
        var stored = new HashSet<Guid>();
        for (var number = 0; number < jobs.Length; number++)
        {
            if (number % 100 == 50)
            {
                await Assert.ThrowsAsync<PostgresException>(() => answers[number]);
                continue;
            }

            var answer = (await answers[number]).Unwrap()!;
            Assert.Equal((jobs[number].Id, (short)1), (answer.Id, answer.State));
            stored.Add(answer.Id);
        }

        await using var connection = await service.Database.OpenConnectionAsync(token);
        var there = await connection.QueryAsync<Guid>(
            "SELECT id FROM jobs WHERE project_id = @project".With(new { project }, token)
        );
        Assert.Equal(stored, there.ToHashSet());
    }

    [Fact]
    public async Task A_job_whose_queue_is_not_there_is_answered_so_beside_others()
    {
        var token = TestContext.Current.CancellationToken;
        var project = (await service.NewProjectAsync()).Id;
        var channel = service.Services.GetRequiredService<JobChannel>();
        var answers = await Task.WhenAll(
            channel.StoreAsync(Job(project, "{}"), token),
            channel.StoreAsync(Job(project, "{}") with { Queue = "nowhere" }, token),
            channel.StoreAsync(Job(project, "{}") with { IsForWorkers = true }, token)
        );
        Assert.Equal([true, false, false], answers.Select(answer => answer.Unwrap() is not null));
    }

    private static NewJob Job(Guid project, string args) =>
        new()
        {
            ProjectId = project,
            Id = Guid.CreateVersion7(),
            Queue = JobQueue.Default,
            Kind = "noop",
            Args = args,
            RunAt = DateTime.UtcNow.AddDays(1),
        };
}
