using Bellhop.Features.Jobs.Running;
using Npgsql;
using NpgsqlTypes;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>The statements of a worker's claim, each a commit of its own.</summary>
internal sealed class WorkerClaimStatements(JobKinds kinds, TimeProvider clock)
{
    /// <summary>Looks at the queues, and takes what is ready on those without a limit, or what the same call was given before.</summary>
    public async Task<(List<LookedQueue> Queues, ClaimAnswer Answer)> LookAsync(
        NpgsqlConnection connection,
        Guid projectId,
        ClaimDocument asked,
        ClaimedQueue[] queues,
        ClaimCursors cursors
    )
    {
        var names = queues.Select(queue => queue.Name).ToArray();
        var open = new NpgsqlBatchCommand(ClaimStatements.Sql.OfWorker);
        AddCommon(open.Parameters, asked, asked.Max);
        cursors.AddTo(open.Parameters);
        open.Parameters.Add(new("MaxHeld", WorkerClaims.MaxHeld));
        open.Parameters.Add(new("ProjectId", projectId));
        open.Parameters.Add(Of("Queues", NpgsqlDbType.Text, names));
        open.Parameters.Add(
            Of("Maxes", NpgsqlDbType.Integer, queues.Select(queue => queue.Max ?? asked.Max).ToArray())
        );
        var look = LookedQueue.Look(projectId, asked.Worker!.Id!.Value, names);
        // made anew each time: one that was sent is not sent again, where statements are not prepared
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { look, open } };
        await using var reader = await batch.ExecuteReaderAsync(CancellationToken.None);
        var looked = await LookedQueue.ReadAsync(reader);
        await reader.NextResultAsync();
        var answer = await ClaimAnswer.ReadAsync(reader, isLimited: false, clock.GetTimestamp(), clock);
        return (looked, answer);
    }

    /// <summary>Takes what a queue with a limit has room for.</summary>
    public async Task<IReadOnlyList<ClaimedRow>> TakeLimitedAsync(
        NpgsqlConnection connection,
        Guid projectId,
        ClaimDocument asked,
        long queueId,
        int max,
        int mostLost
    )
    {
        var claim = new NpgsqlBatchCommand(ClaimStatements.Sql.Limited);
        AddCommon(claim.Parameters, asked, max);
        new ClaimCursors().AddTo(claim.Parameters);
        claim.Parameters.Add(new("ProjectId", projectId));
        claim.Parameters.Add(new("QueueId", queueId));
        claim.Parameters.Add(new("Starts", (long)Random.Shared.Next(16)));
        claim.Parameters.Add(new("LostBelow", Trial.LostBelow(mostLost)));
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new(ClaimStatements.Sql.Lock) { Parameters = { new("ProjectId", projectId), new("QueueId", queueId) } },
                claim,
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(CancellationToken.None);
        await reader.NextResultAsync();
        return (await ClaimAnswer.ReadAsync(reader, isLimited: true, clock.GetTimestamp(), clock)).Rows;
    }

    private void AddCommon(NpgsqlParameterCollection parameters, ClaimDocument asked, int free)
    {
        parameters.Add(new("Free", free));
        parameters.Add(new("WorkerId", asked.Worker!.Id!.Value));
        parameters.Add(new("ClaimKey", NpgsqlDbType.Uuid) { Value = asked.ClaimKey!.Value });
        parameters.Add(Of("Carriers", NpgsqlDbType.Text, kinds.Carriers));
    }

    private static NpgsqlParameter Of(string name, NpgsqlDbType type, object values) =>
        new(name, NpgsqlDbType.Array | type) { Value = values };
}
