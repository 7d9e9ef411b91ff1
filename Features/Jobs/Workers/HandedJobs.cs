using System.Collections.Concurrent;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>The jobs that this process has handed to workers lately: the success of one of these is stored without looking it up before.</summary>
/// <remarks>
/// It says of a job what it was when it was claimed, which is all that a success needs; the statement that stores an end is guarded by the
/// claim. Beyond twenty thousand jobs all are forgotten, and their ends are looked up.
/// </remarks>
internal sealed class HandedJobs
{
    private const int Capacity = 20_000;

    // written by claims and ends
    private readonly ConcurrentDictionary<(Guid ProjectId, Guid Id), (Lease Lease, ClaimedJob Job)> _handed = new();

    public void Hand(ClaimedJob job, Guid claimKey)
    {
        if (_handed.Count >= Capacity)
        {
            _handed.Clear();
        }

        _handed[(job.ProjectId, job.Id)] = (
            new Lease(job.ClaimNo, claimKey),
            job with
            {
                Args = "{}",
                Checkpoint = null,
            }
        );
    }

    /// <summary>Null: it was not handed out here with that lease.</summary>
    public ClaimedJob? Find(Guid projectId, Guid id, Lease? lease) =>
        _handed.TryGetValue((projectId, id), out var handed) && handed.Lease == lease ? handed.Job : null;

    public void Forget(ClaimedJob job) => _handed.TryRemove((job.ProjectId, job.Id), out _);
}
