using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Bellhop.Infrastructure.Http.Resources;

/// <summary>What a change of configuration demands of the state it changes: <c>If-Match</c>, <c>If-None-Match: *</c>.</summary>
/// <remarks>
/// Who changes or deletes what is there says which state was seen, by the <c>ETag</c> of the answer that showed it. Of two who saw
/// the same one wins; the other is told, and nothing of it is done (RFC 9110 section 13.1.1, RFC 6585 section 3).
/// </remarks>
public sealed class Precondition : IEndpointParameterMetadataProvider
{
    private readonly IReadOnlyList<string>? _ifMatch;
    private readonly bool _ifNoneMatch;

    private Precondition(IReadOnlyList<string>? ifMatch, bool ifNoneMatch) =>
        (_ifMatch, _ifNoneMatch) = (ifMatch, ifNoneMatch);

    /// <summary>Whatever is there: for callers that are no clients, such as the command line.</summary>
    public static Precondition Any { get; } = new(["*"], false);

    /// <summary>That nothing is there.</summary>
    public static Precondition None { get; } = new(null, true);

    public static ValueTask<Precondition> BindAsync(HttpContext context, ParameterInfo parameter)
    {
        var headers = context.Request.Headers;
        var ifMatch = headers.IfMatch.Count == 0 ? null : Parse(HeaderNames.IfMatch, headers.IfMatch);
        var ifNoneMatch = headers.IfNoneMatch.Count > 0;
        if (ifNoneMatch && headers.IfNoneMatch is not [var only] || headers.IfNoneMatch is [not (null or "*")])
        {
            throw Refused(
                HeaderNames.IfNoneMatch,
                "A change takes only If-None-Match: *, which means: if there is none."
            );
        }

        return ValueTask.FromResult(new Precondition(ifMatch, ifNoneMatch));
    }

    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder) =>
        builder.Metadata.Add(new ConditionalWrite());

    /// <summary>The answer to who saw another state than there is; null: go on.</summary>
    /// <param name="current">What is there, read under a lock; null where nothing is.</param>
    public Problem? Check(IRevised? current)
    {
        if (current is null)
        {
            return _ifMatch is null
                ? null
                : Failed(HeaderNames.IfMatch, "There is nothing of this name to match.", null);
        }

        if (_ifNoneMatch)
        {
            return Failed(HeaderNames.IfNoneMatch, "There is one of this name already.", current);
        }

        if (_ifMatch is null)
        {
            const string Message =
                "Send If-Match with the ETag of the state you saw, so that nobody's change is overwritten.";
            return Problems.PreconditionRequired.Because(
                Message,
                FieldError.InHeader(HeaderNames.IfMatch, "required", Message)
            );
        }

        return _ifMatch.Contains("*") || _ifMatch.Contains(EntityTag.Of(current), StringComparer.Ordinal)
            ? null
            : Failed(
                HeaderNames.IfMatch,
                _ifMatch.Any(tag => tag.StartsWith("W/", StringComparison.Ordinal))
                    ? "A weak tag (W/) matches nothing here; send the ETag as it was given."
                    : "It was changed since; read it again.",
                current
            );
    }

    private static Problem Failed(string header, string message, IRevised? current) =>
        Problems.PreconditionFailed.Because(message, FieldError.InHeader(header, "no_match", message)) with
        {
            Headers = current is null
                ? null
                : new Dictionary<string, string> { [HeaderNames.ETag] = EntityTag.Of(current) },
        };

    // weak tags are kept as written: they match nothing here, as RFC 9110 wants
    private static string[] Parse(string header, StringValues values) =>
        EntityTagHeaderValue.TryParseStrictList([.. values.OfType<string>()], out var tags)
            ? [.. tags.Select(tag => tag.ToString())]
            : throw Refused(header, "A list of entity tags in double quotes, or *.");

    private static RefusedRequestException Refused(string header, string message) =>
        new(Problems.InvalidHeader.Because($"{header}: {message}", FieldError.InHeader(header, "invalid", message)));
}

/// <summary>Marks a route that changes configuration: it takes <c>If-Match</c> and answers 412 and 428.</summary>
public sealed record ConditionalWrite;
