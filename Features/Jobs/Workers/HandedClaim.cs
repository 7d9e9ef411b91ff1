namespace Bellhop.Features.Jobs.Workers;

/// <summary>Writes the answer of a claim; when nobody takes it, the jobs are claimable again at once and their attempts do not count.</summary>
internal sealed class HandedClaim(ClaimView view, WorkerClaim claim, Guid claimKey, WorkerClaims claims) : IResult
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        try
        {
            if (!httpContext.RequestAborted.IsCancellationRequested)
            {
                await TypedResults.Ok(view).ExecuteAsync(httpContext);
                await httpContext.Response.Body.FlushAsync(httpContext.RequestAborted);
            }
        }
        catch (OperationCanceledException) when (httpContext.RequestAborted.IsCancellationRequested)
        {
            // the worker is gone
        }

        if (httpContext.RequestAborted.IsCancellationRequested)
        {
            await claims.GiveBackAsync(claim, claimKey);
        }
    }
}
