using System.Text.Json;

namespace Bellhop.Infrastructure.Http.Resources;

/// <summary>One resource with its <c>ETag</c>; to a reader who has it already (<c>If-None-Match</c>) 304 without a body.</summary>
public sealed class ResourceAnswer<T>(T resource, int status, string? location) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(resource, JsonRules.Options);
        var tag = resource is IRevised revised ? EntityTag.Of(revised) : EntityTag.Of(body);
        var response = httpContext.Response;
        response.Headers.ETag = tag;
        if (EntityTag.IsSeenBy(httpContext.Request, tag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        response.StatusCode = status;
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = body.Length;
        if (location is not null)
        {
            response.Headers.Location = location;
        }

        return response.Body.WriteAsync(body, httpContext.RequestAborted).AsTask();
    }
}

public static class ResourceAnswers
{
    /// <summary>Answers a resource with its entity tag.</summary>
    /// <param name="location">Of one that was made: where it is from now on.</param>
    public static IResult ToResource<T>(
        this Result<T> result,
        int status = StatusCodes.Status200OK,
        Func<T, string>? location = null
    ) => result.ToHttp(value => new ResourceAnswer<T>(value, status, location?.Invoke(value)));
}
