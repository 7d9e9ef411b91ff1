using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;

namespace Bellhop.Infrastructure.Http.Idempotency;

/// <summary>Lets a client repeat a POST or PATCH whose answer it did not get: with the same <c>Idempotency-Key</c> it is done once.</summary>
/// <remarks>
/// <para>The key's row, with the answer, commits together with what the request did. A repetition is answered the same, with
/// <c>Idempotency-Replayed: true</c>; while the first is still being worked on, 409; with another body or query, 422. What is
/// refused does nothing and keeps no answer, so that it may be mended and sent again with the same key.</para>
/// <para>Answers are kept for 24 hours at least, sealed. Routes that need no key say so (<see cref="Exempt"/>).</para>
/// </remarks>
public static class IdempotentRequests
{
    public const string ReplayedHeader = "Idempotency-Replayed";

    // what a client may rely on beside the body
    private static readonly string[] KeptHeaders = ["Content-Type", "ETag", "Location"];

    /// <summary>The route does without a key: what it takes carries an id of its own, or it changes nothing.</summary>
    public static TBuilder WithoutIdempotencyKey<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new Exempt());

    /// <summary>Whether requests to the route may carry a key.</summary>
    public static bool Takes(Endpoint? endpoint, string method) =>
        (HttpMethods.IsPost(method) || HttpMethods.IsPatch(method))
        && endpoint?.Metadata.IsGuarded() == true
        && endpoint.Metadata.GetMetadata<Exempt>() is null;

    public static Task UseAsync(HttpContext http, RequestDelegate next)
    {
        var header = http.Request.Headers[IdempotencyKey.Header];
        return header.Count > 0 && Takes(http.GetEndpoint(), http.Request.Method)
            ? AnswerAsync(http, next)
            : next(http);
    }

    private static async Task AnswerAsync(HttpContext http, RequestDelegate next)
    {
        var services = http.RequestServices;
        var caller = services.GetRequiredService<Caller>();
        var key = IdempotencyKey.Read(
            http.Request.Headers[IdempotencyKey.Header],
            caller,
            http.GetEndpoint()!.Metadata.GetMetadata<RequiredPermission>() is null ? Guid.Empty : caller.ProjectId,
            http.Request.Method,
            RouteOf(http)
        );
        if (key.Problem is { } problem)
        {
            await new ProblemResponse(problem).ExecuteAsync(http);
            return;
        }

        var request = IdempotencyKey.Fingerprint(
            http.Request.QueryString.Value?.TrimStart('?') ?? "",
            await RequestBody.ReadAsync(http)
        );
        var answers = services.GetRequiredService<KeptAnswers>();
        await using var work = await services.GetRequiredService<UnitOfWork>().ShareAsync(http.RequestAborted);
        var (isFree, earlier, kept) = await KeptAnswers.LockAsync(work.Connection, key.Unwrap(), http.RequestAborted);
        if (earlier is not null)
        {
            await ReplayAsync(http, answers.IsSame(earlier, request) ? answers.Open(key.Unwrap(), kept!) : null);
        }
        else if (!isFree)
        {
            await new ProblemResponse(InProgress()).ExecuteAsync(http);
        }
        else if (await RunAsync(http, next) is { } answer)
        {
            if (answer.Status < 400)
            {
                await answers.KeepAsync(work.Connection, key.Unwrap(), request, answer, http.RequestAborted);
                await work.CommitAsync(CancellationToken.None); // a client that went away may come back
            }

            await http.Response.Body.WriteAsync(answer.Body, http.RequestAborted);
        }
    }

    /// <summary>The route however the path spells it, and what the path names: ids whatever their case, names to the letter.</summary>
    private static string RouteOf(HttpContext http)
    {
        var pattern = ((RouteEndpoint)http.GetEndpoint()!).RoutePattern;
        var named = pattern
            .Parameters.Select(parameter => $"{http.Request.RouteValues[parameter.Name]}")
            .Select(text => Guid.TryParseExact(text, "D", out var id) ? $"{id}" : Uri.EscapeDataString(text));
        return string.Join('/', named.Prepend(pattern.RawText));
    }

    /// <summary>Runs the route and holds its answer back: nobody is told what is not committed.</summary>
    private static async Task<KeptAnswer> RunAsync(HttpContext http, RequestDelegate next)
    {
        var response = http.Response;
        var client = response.Body;
        using var held = new MemoryStream();
        response.Body = held;
        try
        {
            await next(http);
        }
        finally
        {
            response.Body = client;
        }

        var headers = KeptHeaders
            .Where(response.Headers.ContainsKey)
            .ToDictionary(name => name, name => response.Headers[name].ToString(), StringComparer.Ordinal);
        return new KeptAnswer(response.StatusCode, headers, held.ToArray());
    }

    private static Task ReplayAsync(HttpContext http, KeptAnswer? answer)
    {
        if (answer is null)
        {
            const string Message = "The key was used for a request with another body or query; take a new key.";
            return new ProblemResponse(
                Problems.IdempotencyKeyReused.Because(
                    Message,
                    FieldError.InHeader(IdempotencyKey.Header, "reused", Message)
                )
            ).ExecuteAsync(http);
        }

        http.Response.StatusCode = answer.Status;
        foreach (var (name, value) in answer.Headers)
        {
            http.Response.Headers[name] = value;
        }

        http.Response.Headers[ReplayedHeader] = "true";
        return http.Response.Body.WriteAsync(answer.Body, http.RequestAborted).AsTask();
    }

    private static Problem InProgress()
    {
        const string Message = "A request with this key is being worked on; repeat it in a moment.";
        return Problems.IdempotencyInProgress.Because(
            Message,
            FieldError.InHeader(IdempotencyKey.Header, "in_progress", Message)
        ) with
        {
            RetryAfterSeconds = 1,
        };
    }

    private sealed record Exempt;
}
