using System.Collections.Concurrent;
using System.Threading.Channels;
using Bellhop.Infrastructure.Background;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Infrastructure.Database;

/// <summary>Tells the other processes on this database that something changed, by LISTEN and NOTIFY on the channel <c>bellhop</c>.</summary>
/// <remarks>
/// Only a hint: topics may be lost, merged or come twice, and whoever listens also looks by itself now and then. A topic is sent in
/// a statement of its own, after whatever it tells of was committed: inside a transaction NOTIFY would make all commits of the
/// server wait for each other. One topic is sent at once, further ones within 50 ms together. The sender hears its own topics too.
/// </remarks>
public sealed partial class Notifications(Databases databases, TimeProvider clock, ILogger<Notifications> logger)
    : BackgroundService
{
    private const string Channel = "bellhop";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan MaxBackoff = TimeSpan.FromSeconds(5);

    // written by subscribers, read by the listening loop
    private readonly ConcurrentDictionary<Subscription, byte> _subscriptions = new();

    // written by whoever sends, emptied by the sending loop
    private readonly ConcurrentDictionary<string, byte> _topics = new(StringComparer.Ordinal);
    private readonly Channel<bool> _wake = System.Threading.Channels.Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );

    /// <summary>Calls the handler for each topic that begins so, on the listening loop: it must be quick and must not throw.</summary>
    /// <remarks>After a gap in listening it is called once with the bare prefix, since any topic may have been missed.</remarks>
    public IDisposable Subscribe(string topicPrefix, Action<string> handler)
    {
        var subscription = new Subscription(topicPrefix, handler, gone => _subscriptions.TryRemove(gone, out _));
        _subscriptions.TryAdd(subscription, default);
        return subscription;
    }

    /// <summary>To be called after the commit, from any thread. A topic is at most 1,000 characters.</summary>
    public void Send(string topic)
    {
        _topics.TryAdd(topic, default);
        _wake.Writer.TryWrite(true);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(ListenAsync(stoppingToken), SendAsync(stoppingToken));

    private async Task SendAsync(CancellationToken stoppingToken)
    {
        await foreach (var _ in _wake.Reader.ReadAllAsync(stoppingToken))
        {
            var topics = _topics.Keys.ToArray();
            foreach (var topic in topics)
            {
                _topics.TryRemove(topic, out var _);
            }

            try
            {
                await using var command = databases.Main.CreateCommand(Sql.Notify);
                command.Parameters.Add(new("Channel", Channel));
                command.Parameters.Add(new("Topics", NpgsqlDbType.Array | NpgsqlDbType.Text) { Value = topics });
                await command.ExecuteNonQueryAsync(stoppingToken);
            }
            catch (NpgsqlException exception)
            {
                NotSent(logger, topics.Length, exception.Message);
            }

            await Task.Delay(Pause, clock, stoppingToken);
        }
    }

    private async Task ListenAsync(CancellationToken stoppingToken)
    {
        var pace = new LogPace(clock);
        var backoff = Pause;
        while (true)
        {
            try
            {
                await using var connection = await databases.Listen.OpenConnectionAsync(stoppingToken);
                connection.Notification += (_, notification) => Tell(notification.Payload);
                await using (var listen = new NpgsqlCommand(Sql.Listen, connection))
                {
                    await listen.ExecuteNonQueryAsync(stoppingToken);
                }

                backoff = Pause;
                TellOfGap();
                while (true)
                {
                    await connection.WaitAsync(stoppingToken);
                }
            }
            catch (NpgsqlException exception)
            {
                if (pace.IsDue())
                {
                    NotListening(logger, exception.Message);
                }
            }

            await Task.Delay(backoff, clock, stoppingToken);
            backoff = backoff * 2 < MaxBackoff ? backoff * 2 : MaxBackoff;
        }
    }

    private void Tell(string topic)
    {
        foreach (var (subscription, _) in _subscriptions)
        {
            if (topic.StartsWith(subscription.TopicPrefix, StringComparison.Ordinal))
            {
                subscription.Handler(topic);
            }
        }
    }

    private void TellOfGap()
    {
        foreach (var (subscription, _) in _subscriptions)
        {
            subscription.Handler(subscription.TopicPrefix);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Not listening ({Reason}); what others do is found by polling meanwhile.")]
    private static partial void NotListening(ILogger logger, string reason);

    [LoggerMessage(
        LogLevel.Debug,
        "{Count} topics were not sent ({Reason}); others find by polling what they tell of."
    )]
    private static partial void NotSent(ILogger logger, int count, string reason);

    private static class Sql
    {
        public const string Listen = "LISTEN bellhop";

        public const string Notify = "SELECT pg_notify(@Channel, topic) FROM unnest(@Topics::text[]) AS t(topic)";
    }

    private sealed class Subscription(string topicPrefix, Action<string> handler, Action<Subscription> remove)
        : IDisposable
    {
        public string TopicPrefix { get; } = topicPrefix;

        public Action<string> Handler { get; } = handler;

        public void Dispose() => remove(this);
    }
}

public static class NotificationRules
{
    /// <summary>The one <see cref="Notifications"/> of this process, and the loops behind it where a host runs.</summary>
    public static IServiceCollection AddNotifications(this IServiceCollection services)
    {
        services.AddSingleton<Notifications>();
        services.AddHostedService(provider => provider.GetRequiredService<Notifications>());
        return services;
    }
}
