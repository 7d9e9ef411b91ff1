using System.Net;
using Bellhop.Tests.Features.Jobs.Workers;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

/// <summary>How workers claim, and whether they may be answered so.</summary>
internal sealed partial class JobModelRun
{
    private async Task ClaimAgainAsync()
    {
        if (_claims.Count > 0)
        {
            var (worker, key) = _claims[^(1 + Roll(Math.Min(_claims.Count, 4)))];
            await ClaimAsync(_workers[0].Id == worker ? 0 : 1, key, 1 + Roll(5));
        }
    }

    private async Task ClaimAsync(int index, Guid key, int max)
    {
        var worker = _workers[index];
        var (again, ready, most) = _model.Offer(worker.Id, key, max);
        var (status, body) = await worker.AskAsync(max, 0, key);
        while (status == HttpStatusCode.TooManyRequests)
        {
            (status, body) = await worker.AskAsync(max, 0, key); // the same key, as it should
        }

        Assert.True(status == HttpStatusCode.OK, body.ToString());
        var given = body.GetProperty("jobs").EnumerateArray().ToArray();
        var ids = Array.ConvertAll(given, job => job.GetProperty("id").GetGuid());
        _claims.Add((worker.Id, key));
        Note($"worker {index} claims {max}: {string.Join(' ', ids.Select(Name))}");
        if (again.Count > 0)
        {
            Assert.Equal(
                again.Select(job => $"{job.Id} {job.Lease!.Text}").Order(),
                given.Select(job => $"{job.GetProperty("id").GetGuid()} {job.GetProperty("lease").GetString()}").Order()
            );
            return;
        }

        var taken = await JudgeAsync(worker, ready, most, ids);
        foreach (var job in taken)
        {
            var told = Array.IndexOf(ids, job.Id);
            _model.Take(job, worker.Id, key, told < 0 ? null : given[told].GetProperty("lease").GetString());
            if (told >= 0)
            {
                Assert.Equal(
                    (job.Attempt, job.MaxAttempts, job.Lost, job.ClaimNo, job.Checkpoint),
                    (
                        given[told].GetProperty("attempt").GetInt32(),
                        given[told].GetProperty("max_attempts").GetInt32(),
                        given[told].GetProperty("lost").GetInt32(),
                        given[told].GetProperty("fence").GetInt64(),
                        given[told].TryGetProperty("checkpoint", out var checkpoint) ? checkpoint.GetRawText() : null
                    )
                );
            }
        }
    }

    /// <summary>Whether a claim may be answered so; answers what was taken, which what expires at its claim is as well.</summary>
    private async Task<IReadOnlyList<ModelJob>> JudgeAsync(
        TestWorker worker,
        IReadOnlyList<ModelJob> ready,
        int most,
        Guid[] given
    )
    {
        Assert.All(given, id => Assert.Contains(id, ready.Select(job => job.Id)));
        Assert.True(given.Length <= most, $"{given.Length} jobs were given, where {most} may be.");
        var late = ready.Where(job => job is { IsLate: true, Attempt: 0 }).ToArray();
        var expired =
            late.Length == 0
                ? []
                : await connection.QueryAsync<Guid>(
                    "SELECT id FROM job_history WHERE project_id = @Id AND outcome = 3 AND id = ANY (@Late)",
                    new { project.Id, Late = late.Select(job => job.Id).ToArray() }
                );
        Guid[] taken = [.. given, .. expired];
        Assert.DoesNotContain(given, id => late.Any(job => job.Id == id));
        var heldLost = _model.Running.Where(job => job.Lease!.Worker == worker.Id && job.Lost > 0).ToArray();
        if (heldLost.Length == 0 && ready.All(job => job.Lost == 0))
        {
            var orders = Enumerable
                .Range(0, 16)
                .Select(turn => Order(ready, turn).Take(most).Select(job => job.Id).ToHashSet());
            Assert.True(
                orders.Any(order => order.SetEquals(taken)),
                $"They are not the first of those that are due: {string.Join(' ', Order(ready, 0).Select(job => Name(job.Id)))}"
            );
        }
        else
        {
            // who holds one that was lost twice holds no other that ever was
            var holds = taken.Select(id => _model.Jobs[id]).Concat(heldLost).Where(job => job.Lost > 0).ToArray();
            Assert.True(
                holds.Length <= 1 || holds.All(job => job.Lost < 2),
                "A job on trial has company that may be as guilty."
            );
            var worst = heldLost.Select(job => job.Lost).DefaultIfEmpty(0).Max();
            Assert.True(
                taken.Length > 0
                    || most == 0
                    || !ready.Any(job =>
                        job.Lost
                        < (
                            worst == 0 ? 99
                            : worst == 1 ? 2
                            : 1
                        )
                    ),
                "Nothing is given where something may be."
            );
        }

        return [.. taken.Select(id => _model.Jobs[id])];
    }

    /// <summary>By priority, but every sixteenth turn is the oldest one's.</summary>
    private static IEnumerable<ModelJob> Order(IReadOnlyList<ModelJob> ready, int turn)
    {
        var byAge = ready.OrderBy(job => job.RunAt).ThenBy(job => job.Seq).ToList();
        return ready
            .OrderBy(job => job.Priority)
            .ThenBy(job => job.RunAt)
            .ThenBy(job => job.Seq)
            .Select((job, place) => (Job: job, Rank: place + 1, Age: byAge.IndexOf(job) + 1))
            .OrderBy(one => Math.Min(one.Rank, (16 * one.Age) - turn))
            .ThenBy(one => one.Age)
            .Select(one => one.Job);
    }
}
