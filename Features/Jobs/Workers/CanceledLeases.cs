using System.Collections.Concurrent;
using Npgsql;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>
/// Tells workers which of the jobs they hold are to be canceled: each at most once in three seconds, so that a claim may wait in between.
/// </summary>
internal sealed class CanceledLeases(TimeProvider clock)
{
    private const int Capacity = 1_000;
    private static readonly TimeSpan Repeat = TimeSpan.FromSeconds(3);

    // written by claims: when a worker was last told to stop a job
    private readonly ConcurrentDictionary<(Guid Id, long ClaimNo), long> _told = new();

    public async Task<IReadOnlyList<SignalView>> TellAsync(NpgsqlConnection connection, Guid projectId, Guid workerId)
    {
        var signals = new List<SignalView>();
        await using var command = new NpgsqlCommand(Sql.FindCanceled, connection)
        {
            Parameters = { new("ProjectId", projectId), new("WorkerId", workerId) },
        };
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var (id, lease) = (reader.GetGuid(0), new Lease(reader.GetInt64(1), reader.GetGuid(2)));
            var now = clock.GetTimestamp();
            if (!_told.TryGetValue((id, lease.ClaimNo), out var told) || clock.GetElapsedTime(told, now) > Repeat)
            {
                _told[(id, lease.ClaimNo)] = now;
                signals.Add(new SignalView(id, lease.ToString(), "cancel"));
            }
        }

        foreach (var (key, told) in _told.Count > Capacity ? _told.ToArray() : [])
        {
            if (clock.GetElapsedTime(told) > Repeat)
            {
                _told.TryRemove(key, out _);
            }
        }

        return signals;
    }

    private static class Sql
    {
        public const string FindCanceled = """
            SELECT id, claim_no, claim_key
            FROM jobs
            WHERE project_id = @ProjectId AND worker_id = @WorkerId AND claim_key IS NOT NULL AND state = 2
                AND cancel_requested_at IS NOT NULL
            LIMIT 1000
            """;
    }
}
