using System.Text.Json;
using System.Text.Json.Nodes;
using Bellhop.Infrastructure.Auth;

namespace Bellhop.Infrastructure.Http;

/// <summary>The problems a route may answer, beside those that its machinery answers.</summary>
public sealed record PossibleProblems(IReadOnlyList<ProblemCode> Codes);

/// <summary>Which problems each operation may answer: what its slice declares, and what stands between it and the caller.</summary>
public static class DocumentedProblems
{
    /// <summary>Declares the problems that the slice itself answers.</summary>
    public static TBuilder ProducesProblems<TBuilder>(this TBuilder builder, params ProblemCode[] codes)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new PossibleProblems(codes));

    /// <summary>Every problem of a route, by status.</summary>
    public static IEnumerable<IGrouping<int, ProblemCode>> Of(Traits traits) =>
        traits
            .All<PossibleProblems>()
            .SelectMany(declared => declared.Codes)
            .Concat(OfMachinery(traits))
            .Distinct()
            .OrderBy(code => code.Status)
            .ThenBy(code => code.Code, StringComparer.Ordinal)
            .GroupBy(code => code.Status);

    /// <summary>A whole answer of this kind.</summary>
    public static JsonNode ExampleOf(ProblemCode code)
    {
        var problem = code.Example is { } example
            ? code.Because(example.Detail, example.Errors)
            : code.Because($"{code.Title}.");
        var body = ProblemBody.Of(problem, "/v1/events", Story.RequestId);
        return JsonSerializer.SerializeToNode(body, JsonRules.Options)!;
    }

    private static IEnumerable<ProblemCode> OfMachinery(Traits traits) =>
        [
            Problems.MalformedRequest, // what is no text is refused before anything looks at the route
            Problems.RateLimited,
            Problems.InternalError,
            Problems.StorageUnavailable,
            .. traits.IsAnonymous ? [] : new[] { Problems.Unauthenticated, Problems.Forbidden },
            // a browser sends its cookie whoever made it call
            .. traits.IsAnonymous || traits.IsGet ? [] : new[] { Problems.Csrf },
            // a user names the project, which may be none of his
            .. traits.Permission is null ? [] : new[] { Problems.ProjectRequired, Problems.NotFound },
            .. traits.Permission is { } needed && !Roles.IsLeftInArchive(needed)
                ? new[] { Problems.ProjectArchived }
                : [],
            .. traits.HasPlace ? new[] { Problems.NotFound } : [],
            .. traits.IsForeign ? [] : new[] { Problems.UnknownParameter, Problems.InvalidParameter },
            .. traits.AnswersBody && !traits.IsForeign ? new[] { Problems.NotAcceptable } : [],
            .. traits.IsList ? new[] { Problems.CursorMismatch } : [],
            .. traits.TakesBody
                ? new[] { Problems.MalformedBody, Problems.TooSlow, Problems.TooLarge, Problems.UnsupportedMediaType }
                : [],
            .. traits.ChecksBody ? new[] { Problems.Invalid } : [],
            .. traits.ChangesResource
                ? new[] { Problems.InvalidHeader, Problems.PreconditionFailed, Problems.PreconditionRequired }
                : [],
            .. traits.TakesIdempotencyKey
                ? new[] { Problems.InvalidHeader, Problems.IdempotencyInProgress, Problems.IdempotencyKeyReused }
                : [],
        ];
}
