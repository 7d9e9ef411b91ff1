using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Auth;
using Microsoft.AspNetCore.WebUtilities;

namespace Bellhop.Infrastructure.Http;

/// <summary>One page of a list.</summary>
/// <param name="NextCursor">Give it as <c>cursor</c> to get what follows; null on the last page.</param>
public sealed record Page<T>(
    [property: MaxLength(PageRequest.MaxLimit)] IReadOnlyList<T> Items,
    [property: MaxLength(CursorSigner.MaxLength)] string? NextCursor
);

/// <summary>What a list was asked for: <c>limit</c>, where to go on, in which order, and the filters the route knows.</summary>
/// <remarks>
/// Paging is by key, never by offset: a row that stays is seen once, however many come and go meanwhile. Cursors are signed and
/// bound to the project, the route and the filters; they grant nothing.
/// </remarks>
public sealed class PageRequest
{
    public const int MaxLimit = 200;
    public const int DefaultLimit = 50;

    private readonly CursorSigner? _signer;
    private readonly string _context;

    internal PageRequest(int limit, string? after, CursorSigner? signer, string context) =>
        (Limit, After, _signer, _context) = (limit, after, signer, context);

    public int Limit { get; }

    /// <summary>One row more than the page holds tells whether there is a next one.</summary>
    public int Take => Limit + 1;

    /// <summary>Of a list by time: whether it was asked for from its oldest end.</summary>
    public bool OldestFirst { get; private init; }

    /// <summary>Of a list by time: the first id that may be on this page.</summary>
    public Guid From { get; private init; }

    /// <summary>Of a list by time: the first id beyond this page.</summary>
    public Guid Until { get; private init; } = Guid.AllBitsSet;

    /// <summary>The first page for somebody who asks for no other: its <c>next_cursor</c> is null.</summary>
    public static PageRequest First(int limit) => new(limit, null, null, "");

    /// <summary>The key of the last item seen, as the previous page wrote it; null at the start.</summary>
    public string? After { get; }

    public Guid? AfterId => After is null ? null : Guid.ParseExact(After, "N");

    /// <summary>The page from one row more than was asked for, which tells whether there is a next one.</summary>
    public Page<T> ToPage<T>(IReadOnlyList<T> rows, Func<T, string> key)
    {
        if (rows.Count <= Limit)
        {
            return new Page<T>(rows, null);
        }

        var items = rows.Take(Limit).ToArray();
        return new Page<T>(items, _signer?.Sign(key(items[^1]), _context));
    }

    public Page<T> ToPage<T>(IReadOnlyList<T> rows, Func<T, Guid> id) => ToPage(rows, row => id(row).ToString("N"));

    /// <summary>The page of a search that stops before it has looked at everything.</summary>
    /// <param name="stoppedAt">The last row it looked at, where there may be more behind it; a page that is full ends with its last item.</param>
    public Page<T> ToPage<T>(IReadOnlyList<T> rows, Func<T, Guid> id, Guid? stoppedAt) =>
        rows.Count > Limit || stoppedAt is not { } stop
            ? ToPage(rows, id)
            : new Page<T>(rows, _signer?.Sign(stop.ToString("N"), _context));

    /// <summary>Bounds the page by moments, and by the last item of the page before: ids are in the order of time (RFC 9562).</summary>
    internal PageRequest InOrder(bool oldestFirst, Guid from, Guid until)
    {
        var whole = new PageRequest(Limit, After, _signer, _context)
        {
            OldestFirst = oldestFirst,
            From = from,
            Until = until,
        };
        return AfterId is { } after ? whole.Behind(after) : whole;
    }

    /// <summary>What is left of a list by time behind this row.</summary>
    internal PageRequest Behind(Guid id) =>
        new(Limit, After, _signer, _context)
        {
            OldestFirst = OldestFirst,
            From = OldestFirst ? IdBounds.After(id) : From,
            Until = OldestFirst ? Until : id,
        };
}

/// <summary>How a list by time ends: its statement bounds <c>id</c> by <c>@From</c> and <c>@Until</c> before.</summary>
public static class ListOrder
{
    public const string NewestFirst = "\nORDER BY id DESC\nLIMIT @Take";
    public const string OldestFirst = "\nORDER BY id\nLIMIT @Take";
}

/// <summary>A parameter that narrows a list.</summary>
/// <param name="Values">The closed set it is from; null: any text.</param>
/// <param name="Example">What such a text is like; null: a name.</param>
public sealed record ListFilter(string Name, IReadOnlyList<string>? Values = null, string? Example = null)
{
    public static implicit operator ListFilter(string name) => new(name);
}

/// <summary>What a list may be asked; the route's metadata, and what <see cref="Paging.Read"/> holds a request to.</summary>
/// <param name="TimeField">Of a list by time: the member it is ordered by, to sort by and to bound with <c>[gte]</c> and <c>[lt]</c>.</param>
public sealed record ListFilters(IReadOnlyList<ListFilter> Filters, string? TimeField)
{
    public static readonly ListFilters None = new([], null);

    /// <summary>Every parameter beside <c>limit</c> and <c>cursor</c>.</summary>
    public IReadOnlyList<string> Names { get; } =
    [
        .. Filters.Select(filter => filter.Name),
        .. TimeField is null ? Array.Empty<string>() : ["sort", $"{TimeField}[gte]", $"{TimeField}[lt]"],
    ];

    /// <summary>The first one is how it is sorted where nothing is said.</summary>
    public IReadOnlyList<string> Sorts { get; } = TimeField is null ? [] : [$"-{TimeField}", TimeField];
}

/// <summary>What narrows an answer that is no list, such as a stream.</summary>
public sealed record AnswerFilters(IReadOnlyList<ListFilter> Filters);

public static class Paging
{
    /// <summary>Declares what narrows an answer that is no list; whoever reads the parameters holds them to their sets.</summary>
    public static RouteHandlerBuilder WithFilters(this RouteHandlerBuilder builder, params ListFilter[] filters) =>
        builder.WithQuery([.. filters.Select(filter => filter.Name)]).WithMetadata(new AnswerFilters(filters));

    /// <summary>Declares a list in an order of its own; every query parameter beside these is refused.</summary>
    public static RouteHandlerBuilder WithPaging(this RouteHandlerBuilder builder, params ListFilter[] filters) =>
        builder.WithMetadata(new ListFilters(filters, null));

    /// <summary>Declares a list that is the newest first, or the oldest with <c>sort</c>; the moment of an item is that of its id.</summary>
    public static RouteHandlerBuilder WithPagingByTime(
        this RouteHandlerBuilder builder,
        string timeField,
        params ListFilter[] filters
    ) => builder.WithMetadata(new ListFilters(filters, timeField));

    /// <summary>Reads and checks <c>limit</c> and <c>cursor</c>. Faults: 400, naming the parameter.</summary>
    public static Result<PageRequest> Read(HttpContext http)
    {
        var filters = http.GetEndpoint()?.Metadata.GetMetadata<ListFilters>() ?? ListFilters.None;
        foreach (var filter in filters.Filters.Where(filter => filter.Values is not null))
        {
            if (
                http.Request.Query[filter.Name] is [var value]
                && !filter.Values!.Contains(value, StringComparer.Ordinal)
            )
            {
                return Invalid(filter.Name, $"One of {string.Join(", ", filter.Values!)}.");
            }
        }

        var limit = PageRequest.DefaultLimit;
        if (
            http.Request.Query.TryGetValue("limit", out var text)
            && (
                !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                || limit is < 1 or > PageRequest.MaxLimit
            )
        )
        {
            return Invalid("limit", $"A number from 1 to {PageRequest.MaxLimit}.");
        }

        var signer = http.RequestServices.GetRequiredService<CursorSigner>();
        var context = Context(http, filters);
        string? after = null;
        if (
            http.Request.Query.TryGetValue("cursor", out var cursor)
            && !signer.TryRead(cursor.ToString(), context, out after)
        )
        {
            return Problems.CursorMismatch.Because(
                "The cursor is not one this list gave with these filters; start again without it.",
                FieldError.InParameter(
                    "cursor",
                    "cursor_mismatch",
                    "Use next_cursor of the page before, with the same filters."
                )
            );
        }

        var page = new PageRequest(limit, after, signer, context);
        return filters.TimeField is null ? page : InOrder(http.Request.Query, page, filters);
    }

    private static Result<PageRequest> InOrder(IQueryCollection query, PageRequest page, ListFilters filters)
    {
        var sort = query["sort"];
        if (sort is [var wanted] && !filters.Sorts.Contains(wanted, StringComparer.Ordinal))
        {
            return Invalid("sort", $"One of {string.Join(", ", filters.Sorts)}.");
        }

        var (from, until) = (Guid.Empty, Guid.AllBitsSet);
        var problem =
            Bound(query, $"{filters.TimeField}[gte]", ref from) ?? Bound(query, $"{filters.TimeField}[lt]", ref until);
        return problem is not null
            ? problem
            : page.InOrder(sort is [var name] && name == filters.Sorts[1], from, until);
    }

    private static Problem? Bound(IQueryCollection query, string name, ref Guid bound)
    {
        if (query[name] is not [{ } text])
        {
            return null;
        }

        if (Rfc3339.Parse(text) is not { } moment)
        {
            return Invalid(name, "An RFC 3339 time with an offset, such as 2026-01-31T09:30:00Z.");
        }

        bound = IdBounds.At(moment);
        return null;
    }

    private static string Context(HttpContext http, ListFilters filters)
    {
        var project = http.RequestServices.GetRequiredService<Caller>().ProjectId;
        var given = filters.Names.Select(name => $"{name}={http.Request.Query[name]}");
        return $"{project:N}|{http.Request.Path}|{string.Join('&', given)}";
    }

    private static Problem Invalid(string parameter, string message) =>
        Problems.InvalidParameter.Because(
            $"{parameter}: {message}",
            FieldError.InParameter(parameter, "invalid", message)
        );

    /// <summary>Answers a page: the body, and <c>Link: rel="next"</c> where there is more.</summary>
    public static IResult ToHttp<T>(this Result<Page<T>> result, HttpContext http) =>
        result.ToHttp(page =>
        {
            if (page.NextCursor is not null)
            {
                var query = QueryHelpers.ParseQuery(http.Request.QueryString.Value);
                query["cursor"] = page.NextCursor;
                http.Response.Headers.Link = $"<{QueryHelpers.AddQueryString(http.Request.Path, query)}>; rel=\"next\"";
            }

            return TypedResults.Ok(page);
        });
}

/// <summary>Signs cursors with keys derived from the key ring, so that every instance reads those of every other.</summary>
/// <remarks>
/// The first key signs, all of them read: a cursor outlives a new key in front of the ring, and is read by replicas that have
/// another one there, for as long as the key it was signed with stays in theirs.
/// </remarks>
public sealed class CursorSigner(IReadOnlyList<byte[]> keys)
{
    /// <summary>No cursor is longer, in characters.</summary>
    public const int MaxLength = 500;

    private const int TagBytes = 16;

    public string Sign(string after, string context) =>
        WebEncoders.Base64UrlEncode([.. Tag(keys[0], after, context), .. Encoding.UTF8.GetBytes(after)]);

    public bool TryRead(string cursor, string context, out string? after)
    {
        after = null;
        if (cursor.Length is < 23 or > MaxLength)
        {
            return false;
        }

        byte[] bytes;
        try
        {
            bytes = WebEncoders.Base64UrlDecode(cursor);
        }
        catch (FormatException)
        {
            return false;
        }

        var text = Encoding.UTF8.GetString(bytes.AsSpan(TagBytes));
        if (
            !keys.Any(key =>
                CryptographicOperations.FixedTimeEquals(bytes.AsSpan(0, TagBytes), Tag(key, text, context))
            )
        )
        {
            return false;
        }

        after = text;
        return true;
    }

    private static byte[] Tag(byte[] key, string after, string context) =>
        HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"cursor-1|{context}|{after}"))[..TagBytes];
}
