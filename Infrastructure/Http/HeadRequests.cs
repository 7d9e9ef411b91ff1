namespace Bellhop.Infrastructure.Http;

/// <summary>Answers HEAD wherever GET is possible: the same status and headers, no body (RFC 9110 section 9.3.2).</summary>
/// <remarks>The request runs as GET; the server remembers that it was HEAD and sends no content.</remarks>
public static class HeadRequests
{
    public static Task UseAsync(HttpContext context, RequestDelegate next) =>
        HttpMethods.IsHead(context.Request.Method) ? RunAsGetAsync(context, next) : next(context);

    /// <summary>Whether nobody will read the body of the answer: what goes on for as long as it is read ends at once.</summary>
    public static bool WasHead(HttpContext context) => context.Features.Get<Mark>() is not null;

    private static async Task RunAsGetAsync(HttpContext context, RequestDelegate next)
    {
        context.Features.Set(Mark.Instance);
        context.Request.Method = HttpMethods.Get;
        try
        {
            await next(context);
        }
        finally
        {
            context.Request.Method = HttpMethods.Head; // for the log and for problems
        }
    }

    private sealed class Mark
    {
        public static readonly Mark Instance = new();
    }
}
