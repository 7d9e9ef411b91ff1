using System.Text.RegularExpressions;
using Bellhop.Features.Jobs.Running;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Bench;

/// <summary>The engine's own statements, executed without an engine: a claim of all queues, and an end.</summary>
public static class EngineStatements
{
    public const int AtOnce = 100;

    /// <summary>Looks at all queues, and takes as many as there are, up to <see cref="AtOnce"/>.</summary>
    public static async Task<List<(Guid Project, Guid Id, long ClaimNo)>> ClaimAsync(NpgsqlConnection connection)
    {
        await using var claim = Claim(connection, ClaimStatements.Sql.Whole);
        await using var reader = await claim.ExecuteReaderAsync();
        await reader.ReadAsync(); // its header
        var taken = new List<(Guid, Guid, long)>();
        while (await reader.ReadAsync())
        {
            taken.Add((reader.GetGuid(7), reader.GetGuid(8), reader.GetInt64(13)));
        }

        return taken;
    }

    public static NpgsqlCommand Claim(NpgsqlConnection connection, string sql) =>
        Command(
            connection,
            sql,
            new()
            {
                ["Queues"] = (NpgsqlDbType.Text, Array.Empty<string>()),
                ["Free"] = (NpgsqlDbType.Integer, Array.Empty<int>()),
                ["Floors"] = (NpgsqlDbType.Double, Array.Empty<double>()),
                ["OtherFree"] = (null, AtOnce),
                ["ShareQueues"] = (NpgsqlDbType.Bigint, Array.Empty<long>()),
                ["ShareTags"] = (NpgsqlDbType.Double, Array.Empty<double>()),
                ["ShareStarts"] = (NpgsqlDbType.Bigint, Array.Empty<long>()),
                ["PassedQueues"] = (NpgsqlDbType.Bigint, Array.Empty<long>()),
                ["PassedPriorities"] = (NpgsqlDbType.Smallint, Array.Empty<short>()),
                ["PassedRunAts"] = (NpgsqlDbType.TimestampTz, Array.Empty<DateTime>()),
                ["PassedSeqs"] = (NpgsqlDbType.Bigint, Array.Empty<long>()),
                ["Carriers"] = (NpgsqlDbType.Text, Array.Empty<string>()),
                ["WorkerId"] = (null, Guid.Empty),
                ["ClaimKey"] = (null, DBNull.Value),
                ["LostBelow"] = (null, 32767),
            }
        );

    public static NpgsqlCommand End(NpgsqlConnection connection, List<(Guid Project, Guid Id, long ClaimNo)> taken) =>
        Command(
            connection,
            JobEndings.Sql.Finish,
            new()
            {
                ["ProjectIds"] = (NpgsqlDbType.Uuid, taken.Select(job => job.Project).ToArray()),
                ["Ids"] = (NpgsqlDbType.Uuid, taken.Select(job => job.Id).ToArray()),
                ["ClaimNos"] = (NpgsqlDbType.Bigint, taken.Select(job => job.ClaimNo).ToArray()),
                ["Outcomes"] = (NpgsqlDbType.Smallint, new short[taken.Count]),
                ["Results"] = (NpgsqlDbType.Text, new string?[taken.Count]),
                ["Errors"] = (NpgsqlDbType.Text, new string?[taken.Count]),
            }
        );

    public static NpgsqlCommand Command(
        NpgsqlConnection connection,
        string sql,
        Dictionary<string, (NpgsqlDbType? Element, object Value)> values
    )
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (var name in Regex.Matches(sql, @"(?<!:)@(\w+)").Select(match => match.Groups[1].Value).Distinct())
        {
            var (element, value) = values[name];
            command.Parameters.Add(
                element is { } type
                    ? new NpgsqlParameter(name, NpgsqlDbType.Array | type) { Value = value }
                    : new NpgsqlParameter(name, value)
            );
        }

        return command;
    }
}
