using Npgsql;

namespace Bellhop.Features.Jobs.Running;

/// <summary>A queue of the service that had a job that is ready, due or not.</summary>
internal sealed record ReadyQueue(Guid ProjectId, long Id, string Name, short Weight, bool IsLimited);

/// <summary>A job that was claimed, and where it stood in its queue.</summary>
/// <param name="IsLate">It was to start before now, or not at all.</param>
internal sealed record ClaimedRow(
    ClaimedJob Job,
    short Weight,
    short LeaseSeconds,
    short Priority,
    DateTime RunAt,
    long Seq,
    double WaitedSeconds,
    bool IsLate,
    int? MaxRunSeconds
);

/// <summary>What a statement of <see cref="ClaimStatements"/> answers.</summary>
/// <param name="Seen">How many jobs it would have taken, had nobody been faster; of a limited queue: for how many there was room, or -1.</param>
/// <param name="Patience">When the rate of a limited queue has room again.</param>
internal sealed record ClaimAnswer(
    IReadOnlyList<ClaimedRow> Rows,
    IReadOnlyList<HeldJob> Jobs,
    IReadOnlyList<ReadyQueue> Ready,
    long Seen,
    TimeSpan? Patience
)
{
    /// <param name="isLimited">Whether it is of a queue with a limit.</param>
    /// <param name="asked">When it was sent: leases run at least from there.</param>
    public static async Task<ClaimAnswer> ReadAsync(
        NpgsqlDataReader reader,
        bool isLimited,
        long asked,
        TimeProvider clock
    )
    {
        // its header comes first, and then a row for each job
        await reader.ReadAsync(CancellationToken.None);
        var seen = reader.GetInt64(0);
        var ready = ReadQueues(reader);
        var patience = reader.IsDBNull(6) ? (TimeSpan?)null : TimeSpan.FromSeconds(reader.GetDouble(6));
        var rows = new List<ClaimedRow>();
        while (await reader.ReadAsync(CancellationToken.None))
        {
            rows.Add(ReadJob(reader));
        }

        var jobs = rows.ConvertAll(row =>
        {
            JobMetrics.CountClaimed(row.Job, row.WaitedSeconds);
            return new HeldJob(row, isLimited, asked, clock);
        });
        return new ClaimAnswer(rows, jobs, ready, seen, patience);
    }

    private static ReadyQueue[] ReadQueues(NpgsqlDataReader reader)
    {
        if (reader.IsDBNull(1))
        {
            return [];
        }

        var projects = reader.GetFieldValue<Guid[]>(1);
        var ids = reader.GetFieldValue<long[]>(2);
        var names = reader.GetFieldValue<string[]>(3);
        var weights = reader.GetFieldValue<short[]>(4);
        var limited = reader.GetFieldValue<bool[]>(5);
        return
        [
            .. ids.Select(
                (id, index) => new ReadyQueue(projects[index], id, names[index], weights[index], limited[index])
            ),
        ];
    }

    private static ClaimedRow ReadJob(NpgsqlDataReader reader) =>
        new(
            new ClaimedJob(
                reader.GetGuid(7),
                reader.GetGuid(8),
                reader.GetInt64(9),
                reader.GetString(10),
                reader.GetString(12),
                reader.GetInt64(13),
                reader.GetInt16(14),
                reader.GetInt16(15),
                reader.GetInt16(16),
                reader.GetString(17),
                reader.IsDBNull(18) ? null : reader.GetString(18)
            )
            {
                Lane = reader.IsDBNull(19) ? null : reader.GetString(19),
                Checkpoint = reader.IsDBNull(20) ? null : reader.GetString(20),
                Snoozes = reader.GetInt16(21),
            },
            reader.GetInt16(11),
            reader.GetInt16(22),
            reader.GetInt16(23),
            reader.GetDateTime(24),
            reader.GetInt64(25),
            reader.GetDouble(26),
            reader.GetBoolean(27),
            reader.IsDBNull(28) ? null : reader.GetInt32(28)
        );
}
