using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Bellhop.Infrastructure.Telemetry;

/// <summary>How a log record becomes a line.</summary>
public abstract class LogFormat
{
    /// <summary>The line in UTF-8, its end included. Whatever the record holds, it is one line.</summary>
    public abstract byte[] Format(LogRecord record);
}

/// <summary>One JSON object a line, with the names of OpenTelemetry's log data model and semantic conventions.</summary>
public sealed class JsonLogFormat : LogFormat
{
    private static readonly string Instance = $"{Environment.MachineName}:{Environment.ProcessId}";

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly Dictionary<string, string> Names = new(StringComparer.Ordinal)
    {
        ["Method"] = "http.request.method",
        ["Route"] = "http.route",
        ["Status"] = "http.response.status_code",
        ["Path"] = "url.path",
        ["Client"] = "client.address",
        ["RequestId"] = "bellhop.request.id",
        ["ProjectId"] = "bellhop.project.id",
        ["JobId"] = "bellhop.job.id",
    };

    public override byte[] Format(LogRecord record)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("timestamp", Timestamp());
            json.WriteString("severity_text", Severity(record.Level));
            json.WriteString("body", record.Body);
            json.WriteString("event.name", record.EventId.Name ?? record.Category);
            if (Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity)
            {
                json.WriteString("trace_id", activity.TraceId.ToHexString());
                json.WriteString("span_id", activity.SpanId.ToHexString());
            }

            json.WriteString("service.name", "bellhop");
            json.WriteString("service.version", BuildInfo.Version);
            json.WriteString("service.instance.id", Instance);
            json.WriteString("logger", record.Category);
            WriteValues(json, record.Values);
            WriteException(json, record.Exception);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteValues(Utf8JsonWriter json, IReadOnlyList<KeyValuePair<string, object?>> values)
    {
        foreach (var (name, value) in values)
        {
            if (name == "{OriginalFormat}")
            {
                continue;
            }

            json.WritePropertyName(Names.GetValueOrDefault(name) ?? JsonNamingPolicy.SnakeCaseLower.ConvertName(name));
            switch (value)
            {
                case null:
                    json.WriteNullValue();
                    break;
                case int number:
                    json.WriteNumberValue(number);
                    break;
                case long number:
                    json.WriteNumberValue(number);
                    break;
                case double number when double.IsFinite(number):
                    json.WriteNumberValue(number);
                    break;
                case bool flag:
                    json.WriteBooleanValue(flag);
                    break;
                default:
                    json.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture));
                    break;
            }
        }
    }

    private static void WriteException(Utf8JsonWriter json, Exception? exception)
    {
        if (exception is not null)
        {
            json.WriteString("error.type", exception.GetType().FullName);
            json.WriteString("exception.type", exception.GetType().FullName);
            json.WriteString("exception.message", exception.Message);
            json.WriteString("exception.stacktrace", exception.ToString());
        }
    }

    private static string Timestamp() =>
        TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private static string Severity(LogLevel level) =>
        level switch
        {
            LogLevel.Trace => "TRACE",
            LogLevel.Debug => "DEBUG",
            LogLevel.Information => "INFO",
            LogLevel.Warning => "WARN",
            LogLevel.Error => "ERROR",
            _ => "FATAL",
        };
}

/// <summary>Time, level and text, for a person at a terminal. Exceptions follow, indented.</summary>
public sealed class TextLogFormat : LogFormat
{
    public override byte[] Format(LogRecord record)
    {
        var level = record.Level switch
        {
            LogLevel.Trace or LogLevel.Debug => "debug",
            LogLevel.Information => "info ",
            LogLevel.Warning => "warn ",
            _ => "ERROR",
        };
        var time = TimeProvider.System.GetLocalNow().ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
        var text = new StringBuilder($"{time} {level} ").Append(Printable(record.Body)).Append('\n');
        if (record.Exception is not null)
        {
            foreach (var line in record.Exception.ToString().Split('\n'))
            {
                text.Append("    ").Append(Printable(line)).Append('\n');
            }
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    // what came from outside must not move the cursor or look like another line
    private static string Printable(string text) =>
        string.Concat(text.Select(character => char.IsControl(character) ? ' ' : character));
}
