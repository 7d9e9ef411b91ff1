using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Prometheus;

namespace Bellhop.Infrastructure.Telemetry;

/// <summary>Writes log records to a stream, a line each, and never makes anyone wait for it.</summary>
/// <remarks>
/// One thread writes what has come within five milliseconds; between it and the callers stands a queue of 10,000 lines.
/// When whoever reads the stream stops reading, further lines are dropped and counted in <c>bellhop_log_dropped_total</c>.
/// </remarks>
public sealed class LogLines : ILoggerProvider
{
    private const int Capacity = 10_000;
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);

    // woken for each line, the thread took an eighth of the processor
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(5);

    private static readonly Counter Dropped = Metrics.CreateCounter(
        "bellhop_log_dropped_total",
        "Log lines that were dropped because nobody read the output."
    );

    private readonly ConcurrentQueue<byte[]> _lines = new();
    private readonly AutoResetEvent _arrived = new(false);
    private readonly ManualResetEvent _ended = new(false);
    private readonly ConcurrentDictionary<string, ILogger> _loggers = new(StringComparer.Ordinal);
    private readonly Stream _output;
    private readonly LogFormat _format;
    private readonly Thread _writer;
    private int _count; // of lines that wait
    private int _isWoken; // whoever sets it wakes the writer, which takes it back before it looks for lines
    private volatile bool _hasEnded;

    public LogLines(Stream output, LogFormat format)
    {
        (_output, _format) = (output, format);
        _writer = new Thread(Write) { IsBackground = true, Name = "log" };
        _writer.Start();
    }

    /// <summary>How many lines this process has dropped.</summary>
    public static double DroppedLines => Dropped.Value;

    public ILogger CreateLogger(string categoryName) => _loggers.GetOrAdd(categoryName, name => new Logger(this, name));

    /// <summary>Lets the writer finish what is queued, for a second at most.</summary>
    public void Dispose()
    {
        if (!_hasEnded)
        {
            _hasEnded = true;
            _ended.Set();
            _arrived.Set();
            _writer.Join(Farewell);
        }
    }

    private void Add(byte[] line)
    {
        if (_hasEnded || Volatile.Read(ref _count) >= Capacity)
        {
            Dropped.Inc();
            return;
        }

        Interlocked.Increment(ref _count);
        _lines.Enqueue(line);
        if (Interlocked.Exchange(ref _isWoken, 1) == 0)
        {
            _arrived.Set();
        }
    }

    private void Write()
    {
        try
        {
            var isLast = false;
            while (!isLast)
            {
                _arrived.WaitOne();
                isLast = _ended.WaitOne(Gathering);
                Interlocked.Exchange(ref _isWoken, 0);
                while (_lines.TryDequeue(out var line))
                {
                    Interlocked.Decrement(ref _count);
                    _output.Write(line);
                }

                _output.Flush();
            }
        }
        catch (IOException)
        {
            // the reader is gone: whatever comes fills the queue and is counted as dropped
        }
    }

    private sealed class Logger(LogLines lines, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            var values = state as IReadOnlyList<KeyValuePair<string, object?>> ?? [];
            var record = new LogRecord(logLevel, category, eventId, formatter(state, exception), values, exception);
            lines.Add(lines._format.Format(record));
        }
    }
}

/// <summary>One log record, on its way to a line.</summary>
public sealed record LogRecord(
    LogLevel Level,
    string Category,
    EventId EventId,
    string Body,
    IReadOnlyList<KeyValuePair<string, object?>> Values,
    Exception? Exception
);

public static class LogLinesRegistration
{
    /// <summary>Logs to stdout: JSON for collectors, short lines where a person sits at a terminal.</summary>
    public static ILoggingBuilder AddLogLines(this ILoggingBuilder logging) =>
        logging
            .AddFilter("Microsoft", LogLevel.Warning)
            // what keeps the host from starting is told once, by whoever starts it
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical)
            .AddFilter("Npgsql", LogLevel.Warning)
            .Add(Console.OpenStandardOutput(), Console.IsOutputRedirected ? new JsonLogFormat() : new TextLogFormat());

    /// <summary>Logs to stderr in short lines, warnings and worse only: what a command leaves beside its result.</summary>
    public static ILoggingBuilder AddWarnings(this ILoggingBuilder logging) =>
        logging.SetMinimumLevel(LogLevel.Warning).Add(Console.OpenStandardError(), new TextLogFormat());

    [SuppressMessage("Reliability", "CA2000", Justification = "The service provider disposes what a factory made.")]
    private static ILoggingBuilder Add(this ILoggingBuilder logging, Stream output, LogFormat format)
    {
        logging.Services.AddSingleton<ILoggerProvider>(_ => new LogLines(output, format));
        return logging;
    }
}
