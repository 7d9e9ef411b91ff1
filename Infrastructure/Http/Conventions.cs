using System.Globalization;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Bellhop.Infrastructure.Http;

/// <summary>Holds every request to what its route declares, before the route runs: its query parameters and its media types.</summary>
/// <remarks>
/// A parameter that the route does not declare, or that stands twice, is 400; an <c>Accept</c> that allows none of the route's
/// media types is 406, a body of another type than it reads 415. Routes that are on their way out say so in every answer (<see cref="Deprecation"/>).
/// </remarks>
public static class Conventions
{
    public static Task UseAsync(HttpContext context, RequestDelegate next)
    {
        if (context.GetEndpoint() is not { } endpoint)
        {
            return next(context);
        }

        var rules = RouteRules.Of(endpoint);
        rules.Deprecation?.Announce(context);
        if (
            !rules.IsForeign
            && (
                CheckQuery(context.Request, rules)
                ?? CheckAccept(context.Request, rules)
                ?? CheckBody(context.Request, rules)
            )
                is { } problem
        )
        {
            return new ProblemResponse(problem).ExecuteAsync(context);
        }

        if (rules.CacheSeconds is { } seconds)
        {
            context.Response.Headers.CacheControl = $"public, max-age={seconds}";
        }

        return next(context);
    }

    private static Problem? CheckQuery(HttpRequest request, RouteRules rules)
    {
        if (!request.QueryString.HasValue)
        {
            return null;
        }

        foreach (var (name, values) in request.Query)
        {
            if (!rules.Parameters.Contains(name))
            {
                var known =
                    rules.Parameters.Count == 0
                        ? "This route takes no query parameters."
                        : $"Known are {string.Join(", ", rules.Parameters.Order(StringComparer.Ordinal))}.";
                return Problems.UnknownParameter.Because(
                    $"There is no parameter {name}. {known}",
                    FieldError.InParameter(name, "unknown_parameter", known)
                );
            }

            if (values.Count > 1)
            {
                return Problems.InvalidParameter.Because(
                    $"{name}: Give it once.",
                    FieldError.InParameter(name, "repeated", "Give it once.")
                );
            }

            if (rules.Flags.Contains(name) && !bool.TryParse(values, out _))
            {
                return Problems.InvalidParameter.Because(
                    $"{name}: true or false.",
                    FieldError.InParameter(name, "invalid", "true or false.")
                );
            }

            if (
                rules.Numbers.TryGetValue(name, out var bounds)
                && !(
                    int.TryParse(values, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                    && number >= bounds.Min
                    && number <= bounds.Max
                )
            )
            {
                var message = $"A number from {bounds.Min} to {bounds.Max}.";
                return Problems.InvalidParameter.Because(
                    $"{name}: {message}",
                    FieldError.InParameter(name, "invalid", message)
                );
            }
        }

        return null;
    }

    // routing takes a type for another one by its suffix: a JSON Patch for JSON, say
    private static Problem? CheckBody(HttpRequest request, RouteRules rules) =>
        rules.Reads.Count == 0
        || !MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        || rules.Reads.Contains("*/*")
        || rules.Reads.Contains(type.MediaType.ToString())
            ? null
            : Problems.WrongContentType($"Send {string.Join(" or ", rules.Reads)}, not {type.MediaType}.");

    private static Problem? CheckAccept(HttpRequest request, RouteRules rules)
    {
        var accept = request.Headers.Accept;
        if (StringValues.IsNullOrEmpty(accept) || accept is ["*/*"] || rules.Answers.Count == 0)
        {
            return null;
        }

        // lenient: old clients send ranges that are none, beside */*
        if (
            MediaTypeHeaderValue.TryParseList(accept, out var ranges)
            && rules.Answers.Any(answer => Allows(ranges, answer))
        )
        {
            return null;
        }

        var message = $"The answer is {string.Join(" or ", rules.Answers.Select(answer => answer.MediaType))}.";
        return Problems.NotAcceptable.Because(message, FieldError.InHeader("Accept", "not_acceptable", message));
    }

    // the range that says most about a type decides (RFC 9110 section 12.5.1)
    private static bool Allows(IList<MediaTypeHeaderValue> ranges, MediaTypeHeaderValue answer) =>
        ranges.Where(answer.IsSubsetOf).MaxBy(Precision) is { } closest && closest.Quality != 0;

    private static int Precision(MediaTypeHeaderValue range) =>
        range.MatchesAllTypes ? 0
        : range.MatchesAllSubTypes ? 1
        : 2 + range.Parameters.Count;
}
