using System.Text.RegularExpressions;

namespace Bellhop.Infrastructure.Http;

/// <summary>Takes <c>X-Request-Id</c> from the caller where it is sound, makes one where not, and sends it back.</summary>
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

        context.Response.Headers[Header] = context.TraceIdentifier;
        return next(context);
    }

    [GeneratedRegex("^[A-Za-z0-9_-]{1,64}$", RegexOptions.NonBacktracking)]
    private static partial Regex Sound();
}
