using System.Collections.Concurrent;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
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
}
