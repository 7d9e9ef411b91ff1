using System.Data.Common;
using System.Text.Json;
using Bellhop.Features.Secrets;
using MySqlConnector;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Connections;

/// <summary>The values of a statement, those of named secrets among them, bound in the way of each driver.</summary>
internal sealed class SqlParameters
{
    /// <summary>What a statement may name beside its own: its job, and the number of the claim, which grows with each.</summary>
    public static readonly IReadOnlyList<string> Given = ["job_id", "claim_no"];

    private const int MaxDecimalDigits = 28;

    private readonly List<(string? Name, JsonElement Value)> _values = [];
    private readonly List<string> _secrets = [];

    /// <summary>What must not stand in an outcome.</summary>
    public IReadOnlyCollection<string> Secrets => _secrets;

    /// <summary>The name of a secret that the project does not have; null: all are there.</summary>
    public string? Missing { get; private set; }

    public static async Task<SqlParameters> OpenAsync(
        NamedSecrets secrets,
        Guid projectId,
        SqlCall call,
        Guid jobId,
        long claimNo,
        CancellationToken cancellationToken
    )
    {
        var opened = new SqlParameters();
        foreach (var (name, value) in Written(call.Parameters))
        {
            if (SecretOf(value) is not { } secret)
            {
                opened._values.Add((name, value));
            }
            else if (await secrets.FindAsync(projectId, secret, cancellationToken) is { } text)
            {
                opened._secrets.Add(text);
                opened._values.Add((name, JsonSerializer.SerializeToElement(text)));
            }
            else
            {
                opened.Missing ??= secret;
            }
        }

        if (call.Parameters is not { ValueKind: JsonValueKind.Array }) // the drivers take names or places, not both
        {
            opened._values.Add((Given[0], JsonSerializer.SerializeToElement(jobId)));
            opened._values.Add((Given[1], JsonSerializer.SerializeToElement(claimNo)));
        }

        return opened;
    }

    public void AddTo(DbCommand command)
    {
        foreach (var (name, value) in _values)
        {
            command.Parameters.Add(
                command is NpgsqlCommand
                    // the server knows which type it expects in each place, and JSON does not
                    ? new NpgsqlParameter(name, NpgsqlDbType.Unknown) { Value = TextOf(value) ?? (object)DBNull.Value }
                    : new MySqlParameter(name, NumberOf(value) ?? TextOf(value) ?? (object)DBNull.Value)
            );
        }
    }

    private static IEnumerable<(string? Name, JsonElement Value)> Written(JsonElement? parameters) =>
        parameters switch
        {
            { ValueKind: JsonValueKind.Object } named => named
                .EnumerateObject()
                .Select(one => ((string?)one.Name, one.Value)),
            { ValueKind: JsonValueKind.Array } list => list.EnumerateArray().Select(value => ((string?)null, value)),
            _ => [],
        };

    private static string? SecretOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object
        && value.GetPropertyCount() == 1
        && value.TryGetProperty("secret", out var name)
        && name.ValueKind == JsonValueKind.String
            ? name.GetString()
            : null;

    private static string? TextOf(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Null => null,
            JsonValueKind.String => value.GetString(),
            _ => value.GetRawText(),
        };

    // quoted it would be text: LIMIT '5' is refused, and 'true' is 0
    private static object? NumberOf(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Number when value.TryGetInt64(out var whole) => whole,
            JsonValueKind.Number when value.GetRawText().AsSpan().ContainsAny('e', 'E') => value.GetDouble(),
            // with more digits than a decimal has it is text after all, which a column takes with all of them
            JsonValueKind.Number when value.GetRawText().Length <= MaxDecimalDigits => value.GetDecimal(),
            _ => null,
        };
}
