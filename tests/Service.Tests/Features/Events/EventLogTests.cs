using Bellhop.Features.Events;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class EventLogTests(ServiceFixture service)
{
    private EventLog Log => service.Services.GetRequiredService<EventLog>();

    [Fact]
    public async Task Events_of_many_callers_are_each_stored_once()
    {
        var project = await service.NewProjectAsync();
        var ids = Enumerable.Range(0, 300).Select(number => $"e-{number % 100}").ToArray();

        var answers = await Task.WhenAll(
            ids.Select(id => Log.PublishAsync([Event(project, id)], CancellationToken.None))
        );

        var events = answers.Select(answer => answer.Unwrap().Single()).ToArray();
        Assert.Equal(100, events.Count(one => one.Status == EventStatus.Accepted));
        Assert.Equal(200, events.Count(one => one.Status == EventStatus.Duplicate));
        Assert.Equal(100, events.Select(one => one.Id).Distinct().Count());
        Assert.Equal(100, await CountAsync(project));
    }

    [Fact]
    public async Task Batches_with_crossed_keys_do_not_block_each_other()
    {
        var project = await service.NewProjectAsync();
        var there = Enumerable.Range(0, 200).Select(number => $"x-{number}").ToArray();

        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 10)
                .Select(turn =>
                    Log.PublishAsync(
                        [.. (turn % 2 == 0 ? there : there.AsEnumerable().Reverse()).Select(id => Event(project, id))],
                        CancellationToken.None
                    )
                )
        );

        Assert.All(answers, answer => Assert.Null(answer.Problem));
        Assert.Equal(200, await CountAsync(project));
    }

    [Fact]
    public async Task An_event_that_the_database_refuses_fails_nobody_else()
    {
        var project = await service.NewProjectAsync();

        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 50)
                .Select(number =>
                    Log.PublishAsync(
                        [
                            Event(project, $"ok-{number}"),
                            Event(project, $"bad-{number}") with
                            {
                                Data = number == 7 ? "{not json" : "1",
                            },
                        ],
                        CancellationToken.None
                    )
                )
        );

        var outcomes = answers.SelectMany(answer => answer.Unwrap()).ToArray();
        Assert.Equal(EventStatus.Rejected, Assert.Single(outcomes, one => one.Status != EventStatus.Accepted).Status);
        Assert.Equal(99, await CountAsync(project));
    }

    [Fact]
    public async Task The_same_key_with_other_content_is_a_conflict_and_with_equal_content_a_duplicate()
    {
        var project = await service.NewProjectAsync();
        var first = (
            await Log.PublishAsync(
                [Event(project, "k") with { Data = """{"a":1,"b":[true]}""" }],
                CancellationToken.None
            )
        ).Unwrap()[0];

        var same = (
            await Log.PublishAsync(
                [Event(project, "k") with { Data = """{ "b":[true], "a":1.0 }""" }],
                CancellationToken.None
            )
        ).Unwrap()[0];
        var other = (
            await Log.PublishAsync(
                [Event(project, "k") with { Data = """{"a":2,"b":[true]}""" }],
                CancellationToken.None
            )
        ).Unwrap()[0];

        Assert.Equal((first.Id, EventStatus.Duplicate), (same.Id, same.Status));
        Assert.Equal((EventStatus.Conflict, "event_conflict"), (other.Status, other.Problem?.Kind.Code));
    }

    [Fact]
    public async Task A_repeated_event_with_our_own_id_is_accepted_again()
    {
        // what a retry after a lost commit looks like
        var project = await service.NewProjectAsync();
        var one = Event(project, "again");

        await Log.PublishAsync([one], CancellationToken.None);
        var again = (await Log.PublishAsync([one], CancellationToken.None)).Unwrap()[0];

        Assert.Equal((one.Id, EventStatus.Accepted), (again.Id, again.Status));
        Assert.Equal(1, await CountAsync(project));
    }

    internal static NewEvent Event(TestProject project, string id) =>
        new()
        {
            ProjectId = project.Id,
            Id = Guid.CreateVersion7(),
            ReceivedAt = DateTime.UtcNow,
            Source = "test",
            EventId = id,
            Type = "test.happened",
            Data = "{}",
        };

    private static async Task<long> CountAsync(TestProject project)
    {
        await using var connection = await project.Database.OpenConnectionAsync();
        return await connection.QuerySingleAsync<long>(
            "SELECT count(*) FROM events WHERE project_id = @Id",
            new { project.Id }
        );
    }
}
