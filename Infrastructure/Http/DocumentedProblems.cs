using System.Text.Json;
using System.Text.Json.Nodes;
using FluentValidation;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Metadata;

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
    public static IEnumerable<IGrouping<int, ProblemCode>> Of(IList<object> metadata, bool hasPath, IServiceProvider services) =>
        metadata
            .OfType<PossibleProblems>()
            .SelectMany(declared => declared.Codes)
            .Concat(OfMachinery(metadata, hasPath, services))
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

    private static IEnumerable<ProblemCode> OfMachinery(IList<object> metadata, bool hasPath, IServiceProvider services)
    {
        if (!metadata.OfType<IAllowAnonymous>().Any())
        {
            yield return Problems.Unauthenticated;
            yield return Problems.Forbidden;
        }

        if (hasPath)
        {
            yield return Problems.NotFound;
        }

        if (metadata.OfType<ListFilters>().Any())
        {
            yield return Problems.UnknownParameter;
            yield return Problems.InvalidParameter;
            yield return Problems.CursorMismatch;
        }

        if (metadata.OfType<IAcceptsMetadata>().FirstOrDefault() is { } body)
        {
            yield return Problems.MalformedRequest;
            yield return Problems.MalformedBody;
            yield return Problems.TooLarge;
            yield return Problems.UnsupportedMediaType;
            if (services.GetService(typeof(IValidator<>).MakeGenericType(body.RequestType ?? typeof(object))) is not null)
            {
                yield return Problems.Invalid;
            }
        }

        yield return Problems.InternalError;
        yield return Problems.StorageUnavailable;
    }
}
