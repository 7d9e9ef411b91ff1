using System.Buffers;
using System.Data.Common;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Npgsql;

namespace Bellhop.Features.Connections;

/// <summary>Writes what a statement answers as the result of a job, of bounded size, however much it is.</summary>
/// <remarks>
/// <c>{"columns","rows","affected","truncated"}</c>: <c>rows</c> are the first ones, an object each, with the members named by
/// <c>columns</c> in their order; <c>truncated</c> says whether there were more, and <c>affected</c> counts the rows that were changed,
/// null where the server does not say. Of several sets of rows it is the first; what is not kept is not held in memory.
/// </remarks>
internal sealed class SqlOutput(int maxRows, Mask mask)
{
    /// <summary>How much of the rows is kept, in bytes of JSON.</summary>
    public const int MaxBytes = 192 * 1024;

    private static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public async Task<string> WriteAsync(DbDataReader reader, CancellationToken cancellationToken)
    {
        var buffer = new ArrayBufferWriter<byte>();
        await using var json = new Utf8JsonWriter(buffer, Writing);
        var (isRead, isWhole) = (false, true);
        json.WriteStartObject();
        do
        {
            if (!isRead && reader.FieldCount > 0)
            {
                isRead = true;
                isWhole = await WriteRowsAsync(json, reader, cancellationToken);
            }
        } while (await reader.NextResultAsync(cancellationToken));

        if (!isRead)
        {
            WriteColumns(json, []);
            json.WriteStartArray("rows");
            json.WriteEndArray();
        }

        json.WriteBoolean("truncated", !isWhole);
        json.WritePropertyName("affected");
        if (reader.RecordsAffected < 0)
        {
            json.WriteNullValue();
        }
        else
        {
            json.WriteNumberValue(reader.RecordsAffected);
        }

        json.WriteEndObject();
        await json.FlushAsync(cancellationToken);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Whether all rows there are have been written. They are read to the last in any case: the statement ends with it.</summary>
    private async Task<bool> WriteRowsAsync(
        Utf8JsonWriter json,
        DbDataReader reader,
        CancellationToken cancellationToken
    )
    {
        var columns = NamesOf(reader);
        WriteColumns(json, columns);
        json.WriteStartArray("rows");
        var row = new ArrayBufferWriter<byte>();
        var (kept, left, isWhole) = (0, MaxBytes, true);
        while (await reader.ReadAsync(cancellationToken))
        {
            isWhole = isWhole && kept < maxRows && await TryWriteAsync(row, columns, reader, left, cancellationToken);
            if (isWhole)
            {
                json.WriteRawValue(row.WrittenSpan, skipInputValidation: true);
                (kept, left) = (kept + 1, left - row.WrittenCount - 1);
            }
        }

        json.WriteEndArray();
        return isWhole;
    }

    private static void WriteColumns(Utf8JsonWriter json, IEnumerable<JsonEncodedText> columns)
    {
        json.WriteStartArray("columns");
        foreach (var column in columns)
        {
            json.WriteStringValue(column);
        }

        json.WriteEndArray();
    }

    /// <summary>Whether the whole row has fitted.</summary>
    private async Task<bool> TryWriteAsync(
        ArrayBufferWriter<byte> row,
        JsonEncodedText[] names,
        DbDataReader reader,
        int maxBytes,
        CancellationToken cancellationToken
    )
    {
        row.ResetWrittenCount();
        await using var json = new Utf8JsonWriter(row, Writing);
        json.WriteStartObject();
        for (var column = 0; column < names.Length; column++)
        {
            var value = reader is NpgsqlDataReader postgreSql
                ? await SqlValue.ReadAsync(postgreSql, column, maxBytes, cancellationToken)
                : SqlValue.Read(reader, column);
            json.WritePropertyName(names[column]);
            if (value.Length > maxBytes)
            {
                return false;
            }

            value.WriteTo(json, mask);
            if (json.BytesCommitted + json.BytesPending > maxBytes)
            {
                return false;
            }
        }

        json.WriteEndObject();
        await json.FlushAsync(cancellationToken);
        return row.WrittenCount <= maxBytes;
    }

    // a statement may call two columns the same, and an object has one member of a name
    private JsonEncodedText[] NamesOf(DbDataReader reader)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        return
        [
            .. Enumerable
                .Range(0, reader.FieldCount)
                .Select(column => JsonEncodedText.Encode(Free(column), JavaScriptEncoder.UnsafeRelaxedJsonEscaping)),
        ];

        string Free(int column)
        {
            var name = mask.Apply(reader.GetName(column));
            var free = name;
            for (var number = 2; !taken.Add(free); number++)
            {
                free = $"{name}_{number}";
            }

            return free;
        }
    }
}
