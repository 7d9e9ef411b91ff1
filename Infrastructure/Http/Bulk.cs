using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bellhop.Infrastructure.Http;

/// <summary>What became of one item of a request that carries many.</summary>
/// <param name="Index">Its place in the request, from 0.</param>
/// <param name="Status">The status it would have had by itself.</param>
/// <param name="Problem">What is wrong with it; its pointers lead on from the item.</param>
public sealed record BulkItem(
    [property: Range(0, Bulk.MaxItems - 1)] int Index,
    [property: Range(100, 599)] int Status,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] Guid? Id,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ProblemBody? Problem
);

/// <summary>The answer to a request that carries many items, each of which succeeds or fails by itself.</summary>
/// <param name="Results">One an item, in the order of the request.</param>
public sealed record BulkAnswer(
    [property: MaxLength(Bulk.MaxItems)] IReadOnlyList<BulkItem> Results,
    [property: Range(0, Bulk.MaxItems)] int Succeeded,
    [property: Range(0, Bulk.MaxItems)] int Failed
) : IExampled<BulkAnswer>
{
    public static BulkAnswer Example =>
        new([new BulkItem(0, StatusCodes.Status201Created, Story.Job, null)], Succeeded: 1, Failed: 0);
}

/// <summary>Requests that carry up to 1,000 items and 10 MiB.</summary>
/// <remarks>With <c>?atomic=true</c> all of them succeed or none does: then what is wrong is a 422 that points at each item.</remarks>
public static class Bulk
{
    public const int MaxItems = 1_000;
    public const int MaxBytes = 10 * 1024 * 1024;

    /// <summary>Reads each item by itself, so that one which does not parse keeps no other out.</summary>
    /// <param name="member">The name of the array, for the pointer where there are too many.</param>
    public static Result<IReadOnlyList<Result<T>>> Read<T>(IReadOnlyList<JsonElement>? items, string member)
    {
        if (items is null or { Count: 0 or > MaxItems })
        {
            var message = $"{member} has 1 to {MaxItems} items.";
            return Problems.Invalid.Because(
                message,
                FieldError.At($"/{member}", items is null ? "required" : "out_of_range", message)
            );
        }

        return Result.Of<IReadOnlyList<Result<T>>>([.. items.Select(Parse<T>)]);
    }

    /// <summary>The answer where each item counts by itself.</summary>
    /// <param name="isNew">Whether the request made it: 201, else 200.</param>
    public static BulkAnswer Answer<T>(
        HttpContext http,
        IReadOnlyList<Result<T>> results,
        Func<T, Guid> id,
        Func<T, bool> isNew
    )
    {
        BulkItem[] items = [.. results.Select((result, index) => ToItem(http, result, index, id, isNew))];
        var failed = items.Count(item => item.Problem is not null);
        return new BulkAnswer(items, items.Length - failed, failed);
    }

    /// <summary>The problem of the whole where all count or none, in the words of the items' own; null where none has one.</summary>
    public static Problem? AtomicProblem<T>(IReadOnlyList<Result<T>> results, string member)
    {
        var errors = results
            .SelectMany((result, index) => result.Problem is { } problem ? Place(problem, $"/{member}/{index}") : [])
            .ToArray();
        return errors.Length == 0
            ? null
            : Problems.Invalid.Because("Some items are not valid, and so nothing was done.", errors);
    }

    private static IEnumerable<FieldError> Place(Problem problem, string pointer) =>
        problem.Errors.Count == 0
            ? [FieldError.At(pointer, problem.Kind.Code, problem.Detail)]
            : problem.Errors.Select(error => error with { Pointer = pointer + error.Pointer });

    private static Result<T> Parse<T>(JsonElement item)
    {
        try
        {
            return RequestBody.Parse<T>(JsonSerializer.SerializeToUtf8Bytes(item, JsonRules.Options));
        }
        catch (RefusedRequestException refused)
        {
            return refused.Problem;
        }
    }

    private static BulkItem ToItem<T>(
        HttpContext http,
        Result<T> result,
        int index,
        Func<T, Guid> id,
        Func<T, bool> isNew
    ) =>
        result.Problem is { } problem
            ? new BulkItem(
                index,
                problem.Kind.Status,
                null,
                ProblemBody.Of(problem, http.Request.Path, http.TraceIdentifier)
            )
            : new BulkItem(
                index,
                isNew(result.Unwrap()) ? StatusCodes.Status201Created : StatusCodes.Status200OK,
                id(result.Unwrap()),
                null
            );
}
