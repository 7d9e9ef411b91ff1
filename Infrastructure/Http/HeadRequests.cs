namespace Bellhop.Infrastructure.Http;

/// <summary>Answers HEAD wherever GET is possible: the same status and headers, no body (RFC 9110 section 9.3.2).</summary>
/// <remarks>The request runs as GET; the server remembers that it was HEAD and sends no content.</remarks>
public static class HeadRequests
{
    public static Task UseAsync(HttpContext context, RequestDelegate next) =>
        HttpMethods.IsHead(context.Request.Method) ? RunAsGetAsync(context, next) : next(context);

    private static async Task RunAsGetAsync(HttpContext context, RequestDelegate next)
    {
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
}
