using Bellhop.Infrastructure.Auth;

namespace Bellhop.Features.Jobs;

/// <summary>Waits for a job that a request has just enqueued.</summary>
internal static class AwaitedJob
{
    /// <summary>The job as it ended; null where it has not within that time, or who asked is no longer let in.</summary>
    /// <param name="location">Ends in its id.</param>
    public static async Task<IResult?> UntilOverAsync(HttpContext http, string location, TimeSpan patience)
    {
        var services = http.RequestServices;
        var id = Guid.Parse(location[(location.LastIndexOf('/') + 1)..]);
        using var late = new CancellationTokenSource(patience, services.GetRequiredService<TimeProvider>());
        using var given = CancellationTokenSource.CreateLinkedTokenSource(late.Token, http.RequestAborted);
        var proof = StandingProof.Of(http);
        try
        {
            var steps = services
                .GetRequiredService<JobWatch>()
                .FollowAsync(services.GetRequiredService<Caller>().ProjectId, id, given.Token);
            await foreach (var _ in steps.Where(step => step is { IsOver: true }))
            {
                var job = await proof.HoldsAsync(http.RequestAborted)
                    ? await services.GetRequiredService<JobViews>().FindAsync(id, http.RequestAborted)
                    : null;
                return job is null ? null : TypedResults.Ok(job);
            }
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            // it goes on without us
        }

        return null;
    }
}
