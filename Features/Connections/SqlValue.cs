using System.Data.Common;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Http;
using MySqlConnector;
using Npgsql;

namespace Bellhop.Features.Connections;

/// <summary>A value of a row as JSON shows it.</summary>
/// <remarks>
/// Numbers are numbers with all their digits, truth is truth, JSON is JSON; a moment with a time zone is in UTC with <c>Z</c>, bytes of
/// MySQL are base64. Everything else is the text that the server has for it, and so is what JSON has no number for.
/// </remarks>
internal readonly record struct SqlValue
{
    private const string Moments = "yyyy-MM-dd HH:mm:ss.FFFFFF";

    // how PostgreSQL writes an offset: +02, +05:30, +00:19:32
    private static readonly string[] MomentForms = [Moments + "zz", Moments + "zzz"];

    private readonly string? _text;
    private readonly bool _isJson;

    private SqlValue(string? text, bool isJson) => (_text, _isJson) = (text, isJson);

    public int Length => _text?.Length ?? 0;

    /// <summary>Reads no more than a character over the limit; what is longer fits nowhere, as its length says.</summary>
    public static async Task<SqlValue> ReadAsync(
        NpgsqlDataReader reader,
        int column,
        int limit,
        CancellationToken cancellationToken
    )
    {
        if (await reader.IsDBNullAsync(column, cancellationToken))
        {
            return default;
        }

        using var text = await reader.GetTextReaderAsync(column, cancellationToken);
        var read = await ReadAsync(text, limit + 1, cancellationToken);
        return read.Length > limit
            ? new SqlValue(read, false)
            : reader.GetPostgresType(column).InternalName switch
            {
                "bool" => new SqlValue(read == "t" ? "true" : "false", true),
                "int2" or "int4" or "int8" or "oid" or "float4" or "float8" or "numeric" => OfNumber(read),
                "json" or "jsonb" => OfJson(read),
                "timestamptz" => OfMoment(read),
                _ => new SqlValue(read, false),
            };
    }

    public static SqlValue Read(DbDataReader reader, int column)
    {
        if (reader.IsDBNull(column))
        {
            return default;
        }

        if (reader.GetDataTypeName(column) == "DECIMAL")
        {
            return OfNumber(((MySqlDataReader)reader).GetMySqlDecimal(column).ToString()); // it has up to 65 digits
        }

        return reader.GetValue(column) switch
        {
            bool truth => new SqlValue(truth ? "true" : "false", true),
            string text => reader.GetDataTypeName(column) == "JSON" ? OfJson(text) : new SqlValue(text, false),
            byte[] bytes => new SqlValue(Convert.ToBase64String(bytes), false),
            MySqlDateTime { IsValidDateTime: false } never => new SqlValue($"{never}", false),
            MySqlDateTime moment => new SqlValue(Format(moment.GetDateTime()), false),
            DateTime moment => new SqlValue(Format(moment), false),
            sbyte or byte or short or ushort or int or uint or long or ulong or float or double => OfNumber(
                Convert.ToString(reader.GetValue(column), CultureInfo.InvariantCulture)!
            ),
            var other => new SqlValue(Convert.ToString(other, CultureInfo.InvariantCulture), false),
        };
    }

    public void WriteTo(Utf8JsonWriter json, Mask mask)
    {
        if (_text is null)
        {
            json.WriteNullValue();
        }
        else if (_isJson)
        {
            mask.WriteTo(json, JsonElement.Parse(_text));
        }
        else
        {
            json.WriteStringValue(mask.Apply(_text.Replace('\0', '\uFFFD'))); // which no text could hold here
        }
    }

    // NaN and infinities are none in JSON, and what is beyond double is none for who reads it
    private static SqlValue OfNumber(string text) =>
        new(
            text,
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                && double.IsFinite(number)
        );

    private static SqlValue OfJson(string text) => new(text, StrictJson.Check(Encoding.UTF8.GetBytes(text)) is null);

    private static SqlValue OfMoment(string text) =>
        new(
            DateTimeOffset.TryParseExact(
                text,
                MomentForms,
                CultureInfo.InvariantCulture,
                DateTimeStyles.None,
                out var moment
            )
                ? moment.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture)
                : text,
            false
        );

    private static string Format(DateTime moment) => moment.ToString(Moments, CultureInfo.InvariantCulture);

    private static async Task<string> ReadAsync(TextReader reader, int limit, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        var block = new char[Math.Min(limit, 4096)];
        while (text.Length < limit)
        {
            var wanted = Math.Min(block.Length, limit - text.Length);
            var count = await reader.ReadAsync(block.AsMemory(0, wanted), cancellationToken);
            if (count == 0)
            {
                break;
            }

            text.Append(block, 0, count);
        }

        return text.ToString();
    }
}
