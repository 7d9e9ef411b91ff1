using System.ComponentModel.DataAnnotations;
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

        var body = ProblemBody.Of(problem, httpContext.Request.Path, httpContext.TraceIdentifier);
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
    [property: MaxLength(100)] string Type,
    [property: MaxLength(100)] string Title,
    [property: Range(400, 599)] int Status,
    [property: MaxLength(65_536)] string Detail,
    [property: MaxLength(8_192)] string Instance,
    [property: MaxLength(63)] string Code,
    [property: MaxLength(64)] string RequestId,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(10_000)]
        IReadOnlyList<FieldError>? Errors
)
{
    public static ProblemBody Of(Problem problem, string instance, string requestId) =>
        new(
            $"urn:bellhop:problem:{problem.Kind.Code}",
            problem.Kind.Title,
            problem.Kind.Status,
            problem.Detail,
            instance,
            problem.Kind.Code,
            requestId,
            problem.Errors.Count == 0 ? null : problem.Errors
        );
}
