using System.Globalization;
using System.Text.RegularExpressions;

namespace Bellhop.Infrastructure.Http;

/// <summary>What a route that starts something waits for when it is asked to.</summary>
/// <param name="Until">Waits, at most as long as it is told, and answers what was started as it is then; null: it has not ended.</param>
public sealed record Awaited(Func<HttpContext, string, TimeSpan, Task<IResult?>> Until);

/// <summary><c>Prefer: wait=N</c> (RFC 7240 section 4.3): a route that starts something answers with its outcome, if that comes in time.</summary>
/// <remarks>
/// What was started is committed before the waiting begins, and a repetition under an <c>Idempotency-Key</c> waits as well. Where it
/// does not end in time, or where a route knows nothing to wait for, the answer is as without the header.
/// </remarks>
public static partial class PreferWait
{
    public const int MaxSeconds = 60;

    private const string Applied = "Preference-Applied";

    public static RouteHandlerBuilder WithWait(
        this RouteHandlerBuilder builder,
        Func<HttpContext, string, TimeSpan, Task<IResult?>> until
    ) => builder.WithMetadata(new Awaited(until));

    public static Task UseAsync(HttpContext http, RequestDelegate next) =>
        http.Request.Headers["Prefer"].Count > 0
        && http.GetEndpoint()?.Metadata.GetMetadata<Awaited>() is { } awaited
        && Seconds(http.Request) is { } seconds and > 0
            ? AnswerAsync(http, next, awaited, seconds)
            : next(http);

    private static async Task AnswerAsync(HttpContext http, RequestDelegate next, Awaited awaited, int seconds)
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

        if (
            response.StatusCode is StatusCodes.Status201Created or StatusCodes.Status202Accepted
            && response.Headers.Location.ToString() is { Length: > 0 } location
            && await awaited.Until(http, location, TimeSpan.FromSeconds(seconds)) is { } outcome
        )
        {
            response.ContentLength = null;
            response.Headers[Applied] = string.Create(CultureInfo.InvariantCulture, $"wait={seconds}");
            await outcome.ExecuteAsync(http);
            return;
        }

        await response.Body.WriteAsync(held.ToArray(), http.RequestAborted);
    }

    // a preference that cannot be read is passed over, as the RFC says
    private static int? Seconds(HttpRequest request) =>
        Wait().Match(request.Headers["Prefer"].ToString()) is { Success: true } match
            ? Math.Min(int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), MaxSeconds)
            : null;

    [GeneratedRegex(@"(?:^|[,;]\s*)wait\s*=\s*""?(\d{1,5})""?\s*(?:$|[,;])", RegexOptions.IgnoreCase)]
    private static partial Regex Wait();
}
