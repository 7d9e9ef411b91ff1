using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Telemetry;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Telemetry;

public sealed partial class LogLinesTests
{
    [Fact]
    public void A_record_is_one_JSON_object_a_line_with_names_of_OpenTelemetry()
    {
        using var output = new MemoryStream();
        using (var lines = new LogLines(output, new JsonLogFormat()))
        {
            Tell(lines.CreateLogger("test"), "GET", "two\nlines \u001b[31m", new InvalidOperationException("why"));
        }

        var text = Encoding.UTF8.GetString(output.ToArray());
        Assert.Equal(1, text.Count(character => character == '\n'));
        using var record = JsonDocument.Parse(text);
        var root = record.RootElement;
        Assert.Equal("WARN", root.GetProperty("severity_text").GetString());
        Assert.Equal("GET met two\nlines \u001b[31m", root.GetProperty("body").GetString());
        Assert.Equal("GET", root.GetProperty("http.request.method").GetString());
        Assert.Equal("System.InvalidOperationException", root.GetProperty("error.type").GetString());
        Assert.Equal("Told", root.GetProperty("event.name").GetString());
    }

    [Fact]
    public void Text_from_outside_cannot_start_a_line_or_move_the_cursor()
    {
        using var output = new MemoryStream();
        using (var lines = new LogLines(output, new TextLogFormat()))
        {
            Tell(lines.CreateLogger("test"), "GET", "two\r\nlines \u001b[31m", null);
        }

        var text = Encoding.UTF8.GetString(output.ToArray());
        Assert.Equal(1, text.Count(character => character == '\n'));
        Assert.DoesNotContain('\u001b', text);
    }

    [Fact]
    public void Nobody_waits_for_a_reader_that_stopped_reading()
    {
        using var output = new StuckStream();
        using var lines = new LogLines(output, new TextLogFormat());
        var logger = lines.CreateLogger("test");

        // more than the queue holds: this returns, or the test never ends
        for (var count = 0; count < 20_000; count++)
        {
            Tell(logger, "GET", "x", null);
        }

        Assert.True(LogLines.DroppedLines >= 9_000, $"{LogLines.DroppedLines} were dropped");
    }

    [LoggerMessage(LogLevel.Warning, "{Method} met {What}", EventName = "Told")]
    private static partial void Tell(ILogger logger, string method, string what, Exception? exception);

    private sealed class StuckStream : MemoryStream
    {
        private readonly ManualResetEventSlim _never = new();

        public override void Write(ReadOnlySpan<byte> buffer) => _never.Wait(TimeSpan.FromSeconds(30));

        public override void Write(byte[] buffer, int offset, int count) => _never.Wait(TimeSpan.FromSeconds(30));

        protected override void Dispose(bool disposing)
        {
            _never.Set();
            base.Dispose(disposing);
        }
    }
}
