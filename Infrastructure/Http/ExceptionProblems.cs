using Bellhop.Infrastructure.Database;
using Microsoft.AspNetCore.Diagnostics;

namespace Bellhop.Infrastructure.Http;

/// <summary>The one place where exceptions become answers: 503 for outages, 500 for bugs, neither with inner detail.</summary>
public sealed partial class ExceptionProblems(ILogger<ExceptionProblems> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(
        HttpContext httpContext,
        Exception exception,
        CancellationToken cancellationToken
    )
    {
        if (exception is OperationCanceledException && httpContext.RequestAborted.IsCancellationRequested)
        {
            httpContext.Response.StatusCode = 499; // nobody is left to read it
            return true;
        }

        var problem = ToProblem(exception);
        if (problem.Kind == Problems.InternalError)
        {
            RequestFailed(logger, exception, httpContext.TraceIdentifier);
        }

        await new ProblemResponse(problem).ExecuteAsync(httpContext);
        return true;
    }

    private static Problem ToProblem(Exception exception) =>
        exception switch
        {
            RefusedRequestException refused => refused.Problem,
            BadHttpRequestException { StatusCode: StatusCodes.Status408RequestTimeout } => Problems.TooSlow.Because(
                Problems.TooSlow.Example!.Detail
            ),
            BadHttpRequestException { StatusCode: StatusCodes.Status415UnsupportedMediaType } =>
                Problems.WrongContentType("Send application/json."),
            BadHttpRequestException bad => Problems.MalformedRequest.Because(bad.Message),
            _ when ExpectedErrors.IsOutage(exception) => Problems.StorageUnavailable.Because(
                // a COMMIT whose answer never came may have been one
                "The database cannot be reached or is restarting; whether the request took effect is not known. Repeat it: "
                    + "under the same event id or Idempotency-Key it takes effect once."
            ) with
            {
                RetryAfterSeconds = 1,
            },
            _ => Problems.InternalError.Because("Something is wrong with the service; its log holds the request id."),
        };

    [LoggerMessage(LogLevel.Error, "Request {RequestId} failed.")]
    private static partial void RequestFailed(ILogger logger, Exception exception, string requestId);
}
