using Microsoft.AspNetCore.Diagnostics;

namespace Bellhop.Infrastructure.Http;

/// <summary>Gives a body to the statuses that the framework answers without one: unknown route, method, media type.</summary>
public static class StatusProblems
{
    public static Task WriteAsync(StatusCodeContext context)
    {
        var http = context.HttpContext;
        var problem = http.Response.StatusCode switch
        {
            StatusCodes.Status401Unauthorized => Problems.Unauthenticated.Because("Send Authorization: Bearer bh_…"),
            StatusCodes.Status403Forbidden => Problems.Forbidden.Because("The caller lacks the permission."),
            StatusCodes.Status404NotFound => Problems.NotFound.Because($"There is nothing at {http.Request.Path}."),
            StatusCodes.Status405MethodNotAllowed => NotAllowed(http),
            StatusCodes.Status406NotAcceptable => Problems.NotAcceptable.Because("The answer is application/json."),
            StatusCodes.Status413PayloadTooLarge => Problems.TooLarge.Because("The request is too large."),
            StatusCodes.Status415UnsupportedMediaType => Problems.WrongContentType(
                $"Send {string.Join(" or ", AcceptedTypes.Of(http))}, not {http.Request.ContentType ?? "a body without Content-Type"}."
            ),
            StatusCodes.Status400BadRequest => Problems.MalformedRequest.Because("The request could not be read."),
            _ => null,
        };
        return problem is null ? Task.CompletedTask : new ProblemResponse(problem).ExecuteAsync(http);
    }

    private static Problem NotAllowed(HttpContext http)
    {
        var methods = http.Response.Headers.GetCommaSeparatedValues("Allow");
        if (methods.Contains(HttpMethods.Get) && !methods.Contains(HttpMethods.Head))
        {
            methods = [.. methods, HttpMethods.Head]; // see HeadRequests
        }

        var allowed = string.Join(", ", methods);
        return Problems.MethodNotAllowed.Because($"{http.Request.Method} is not possible here; {allowed} is.") with
        {
            Headers = new Dictionary<string, string> { ["Allow"] = allowed },
        };
    }
}
