using System.Text.RegularExpressions;

namespace Bellhop.Infrastructure.Http;

/// <summary>Takes <c>X-Request-Id</c> from the caller where it is sound, makes one where not, and sends it back.</summary>
/// <remarks>Every answer also says that it is not to be stored, sniffed or framed, unless its route said otherwise.</remarks>
public static partial class RequestIds
{
    public const string Header = "X-Request-Id";

    public static Task UseAsync(HttpContext context, RequestDelegate next)
    {
        var given = context.Request.Headers[Header];
        if (given.Count == 1 && Sound().IsMatch(given[0]!))
        {
            context.TraceIdentifier = given[0]!;
        }
        else
        {
            context.TraceIdentifier = Guid.CreateVersion7().ToString("N");
        }

        // at the start of the answer, since the exception handler clears what was set before
        context.Response.OnStarting(SetHeaders, context);
        return next(context);
    }

    private static Task SetHeaders(object state)
    {
        var context = (HttpContext)state;
        var headers = context.Response.Headers;
        headers[Header] = context.TraceIdentifier;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        if (headers.CacheControl.Count == 0)
        {
            headers.CacheControl = "no-store";
        }

        if (headers.ContentSecurityPolicy.Count == 0)
        {
            headers.ContentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";
        }

        return Task.CompletedTask;
    }

    [GeneratedRegex("^[A-Za-z0-9_-]{1,64}$")]
    private static partial Regex Sound();
}
