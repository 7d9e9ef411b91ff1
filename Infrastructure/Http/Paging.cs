using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Bellhop.Infrastructure.Auth;
using Microsoft.AspNetCore.WebUtilities;

namespace Bellhop.Infrastructure.Http;

/// <summary>One page of a list.</summary>
/// <param name="NextCursor">Give it as <c>cursor</c> to get what follows; null on the last page.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? NextCursor);

/// <summary>What a list was asked for: <c>limit</c>, where to go on, and the filters the route knows.</summary>
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
}

/// <summary>Reads <see cref="PageRequest"/> from the query; the route's metadata says which filters exist.</summary>
public sealed record ListFilters(params string[] Names)
{
    public static readonly ListFilters None = new();
}

public static class Paging
{
    /// <summary>Declares a list and its filters; every other query parameter is refused (<see cref="Conventions"/>).</summary>
    public static RouteHandlerBuilder WithPaging(this RouteHandlerBuilder builder, params string[] filters) =>
        builder.WithMetadata(new ListFilters(filters));

    /// <summary>Reads and checks <c>limit</c> and <c>cursor</c>. Faults: 400, naming the parameter.</summary>
    public static Result<PageRequest> Read(HttpContext http)
    {
        var filters = http.GetEndpoint()?.Metadata.GetMetadata<ListFilters>() ?? ListFilters.None;
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

        return new PageRequest(limit, after, signer, context);
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

/// <summary>Signs cursors with a key derived from the key ring, so that every instance reads those of every other.</summary>
public sealed class CursorSigner(byte[] key)
{
    /// <summary>No cursor is longer, in characters.</summary>
    public const int MaxLength = 500;

    private const int TagBytes = 16;

    public string Sign(string after, string context) =>
        WebEncoders.Base64UrlEncode([.. Tag(after, context), .. Encoding.UTF8.GetBytes(after)]);

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
        if (!CryptographicOperations.FixedTimeEquals(bytes.AsSpan(0, TagBytes), Tag(text, context)))
        {
            return false;
        }

        after = text;
        return true;
    }

    private byte[] Tag(string after, string context) =>
        HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"cursor-1|{context}|{after}"))[..TagBytes];
}
