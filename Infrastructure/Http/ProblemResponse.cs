using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bellhop.Infrastructure.Http;

/// <summary>Writes a problem as <c>application/problem+json</c>, the one shape of every error (RFC 9457).</summary>
public sealed class ProblemResponse(Problem problem) : IResult
{
    public const string ContentType = "application/problem+json";

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = problem.Kind.Status;
        response.ContentType = ContentType;
        if (problem.RetryAfterSeconds is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        foreach (var (name, value) in problem.Headers ?? new Dictionary<string, string>())
        {
            response.Headers[name] = value;
        }

        if (problem.Kind.Status == StatusCodes.Status415UnsupportedMediaType)
        {
            AcceptedTypes.Tell(httpContext);
        }

        var body = new ProblemBody(
            $"urn:bellhop:problem:{problem.Kind.Code}",
            problem.Kind.Title,
            problem.Kind.Status,
            problem.Detail,
            httpContext.Request.Path,
            problem.Kind.Code,
            httpContext.TraceIdentifier,
            problem.Errors.Count == 0 ? null : problem.Errors
        );
        return HttpMethods.IsHead(httpContext.Request.Method)
            ? Task.CompletedTask
            : JsonSerializer.SerializeAsync(response.Body, body, JsonRules.Options, httpContext.RequestAborted);
    }
}

/// <summary>The body of every error.</summary>
/// <param name="Type">A stable name of the kind of problem.</param>
/// <param name="Code">The same, short: what programs compare.</param>
/// <param name="RequestId">The value of <c>X-Request-Id</c>, for the operator's logs.</param>
/// <param name="Errors">Each fault in the request, with its place.</param>
public sealed record ProblemBody(
    string Type,
    string Title,
    int Status,
    string Detail,
    string Instance,
    string Code,
    string RequestId,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<FieldError>? Errors
);
