using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Bellhop.Tests.Support;

/// <summary>Hears everything a service says of itself: every record of its log but for scopes, which it does not write; every span with all that hangs on it.</summary>
internal sealed class Witness : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _heard = new();
    private readonly ActivityListener _spans;

    public Witness()
    {
        _spans = new ActivityListener
        {
            // those of the clients that tests use, in the same process
            ShouldListenTo = source => source.Name != "System.Net.Http",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = Hear,
        };
        ActivitySource.AddActivityListener(_spans);
    }

    public IReadOnlyCollection<string> Heard => _heard;

    /// <summary>To be part of the service's composition: what is ours at the lowest level there is, all else at the service's own.</summary>
    public void Add(WebApplicationBuilder builder) =>
        builder.Logging.AddFilter<Witness>("Bellhop", LogLevel.Trace).AddProvider(this);

    public ILogger CreateLogger(string categoryName) => new Ear(this, categoryName);

    public void Dispose() => _spans.Dispose();

    private void Hear(Activity span)
    {
        var tags = span.TagObjects.Concat(span.Events.SelectMany(one => one.Tags)).Concat(span.Baggage.Select(Untyped));
        _heard.Enqueue(
            $"span {span.DisplayName} {span.StatusDescription} {string.Join(' ', tags)} {span.TraceStateString}"
        );
    }

    private static KeyValuePair<string, object?> Untyped(KeyValuePair<string, string?> pair) =>
        new(pair.Key, pair.Value);

    private sealed class Ear(Witness witness, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            var parts = new List<string> { $"log {category} {logLevel}", formatter(state, exception), $"{exception}" };
            if (state is IEnumerable<KeyValuePair<string, object?>> members)
            {
                parts.AddRange(
                    members.Select(member => Convert.ToString(member.Value, CultureInfo.InvariantCulture) ?? "")
                );
            }

            witness._heard.Enqueue(string.Join(' ', parts));
        }
    }
}
