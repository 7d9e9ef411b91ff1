using System.Collections.Concurrent;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Database;

public sealed class NotificationsTests(ServiceFixture service)
{
    [Fact]
    public async Task A_topic_reaches_who_subscribed_to_its_prefix()
    {
        var notifications = service.Services.GetRequiredService<Notifications>();
        var heard = new ConcurrentBag<string>();
        var name = $"test-{Guid.NewGuid():N}/";
        using var subscription = notifications.Subscribe(name, heard.Add);

        // the first may be sent before the service listens
        await Eventually.BeTrueAsync(
            () =>
            {
                notifications.Send($"{name}it's here");
                notifications.Send($"other-{name}");
                return Task.FromResult(heard.Contains($"{name}it's here"));
            },
            "the topic was heard"
        );

        Assert.All(heard, topic => Assert.StartsWith(name, topic, StringComparison.Ordinal));
    }

    [Fact]
    public async Task After_the_loss_of_its_connection_it_listens_again_and_tells_of_the_gap()
    {
        await using var own = await OwnService.StartAsync(service);
        var notifications = own.Services.GetRequiredService<Notifications>();
        var heard = new ConcurrentQueue<string>();
        using var subscription = notifications.Subscribe("jobs/", heard.Enqueue);
        await HearAsync("jobs/first"); // whatever was told at the start has been told by now
        var gaps = heard.Count(topic => topic == "jobs/");

        await using var owner = NpgsqlDataSource.Create(own.OwnerConnectionString);
        await using var cut = owner.CreateCommand(
            """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'bellhop listen'
            """
        );
        Assert.Equal(1L, await cut.ExecuteScalarAsync(TestContext.Current.CancellationToken));

        await Eventually.BeTrueAsync(
            () => Task.FromResult(heard.Count(topic => topic == "jobs/") > gaps),
            "it told of the gap"
        );
        await HearAsync("jobs/again");

        Task HearAsync(string topic) =>
            Eventually.BeTrueAsync(
                () =>
                {
                    notifications.Send(topic);
                    return Task.FromResult(heard.Contains(topic));
                },
                $"{topic} was heard"
            );
    }
}
