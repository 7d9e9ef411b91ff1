namespace Bellhop.Features.Jobs.Workers;

/// <summary>Writes the answer of a claim; when nobody takes it, the jobs are claimable again at once and their attempts do not count.</summary>
internal sealed class HandedClaim(ClaimJobs.Response claim, WorkerClaims claims) : IResult
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        try
        {
            if (!httpContext.RequestAborted.IsCancellationRequested)
            {
                await TypedResults.Ok(claim.View).ExecuteAsync(httpContext);
                await httpContext.Response.Body.FlushAsync(httpContext.RequestAborted);
            }
        }
        catch (OperationCanceledException) when (httpContext.RequestAborted.IsCancellationRequested)
        {
            // the worker is gone
        }

        if (httpContext.RequestAborted.IsCancellationRequested)
        {
            await claims.GiveBackAsync(claim.Jobs, claim.ClaimKey, claim.IsRepeat);
        }
    }
}
