using System.Globalization;
using System.Text;
using Bellhop.Infrastructure.Http.Resources;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Bellhop.Infrastructure.Http;

/// <summary>The document as it is served: made by the first who asks for it, the same bytes for everybody from then on.</summary>
/// <remarks>
/// Making it takes a processor for a tenth of a second, and anybody may ask for it. With a strong <c>ETag</c>; to a reader who
/// has it already 304.
/// </remarks>
public sealed class WrittenDocument(IServiceProvider services)
{
    private readonly Lazy<Task<Written>> _written = new(() => WriteAsync(services));

    public async Task<IResult> AnswerAsync(HttpContext http)
    {
        var written = await _written.Value;
        http.Response.Headers.ETag = written.Tag;
        return EntityTag.IsSeenBy(http.Request, written.Tag)
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : TypedResults.Bytes(written.Bytes, "application/json; charset=utf-8");
    }

    private static async Task<Written> WriteAsync(IServiceProvider services)
    {
        var provider = services.GetRequiredKeyedService<IOpenApiDocumentProvider>(Documentation.Name);
        var document = await provider.GetOpenApiDocumentAsync(CancellationToken.None); // whoever asked first may go
        await using var text = new StringWriter(CultureInfo.InvariantCulture);
        document.SerializeAsV31(new OpenApiJsonWriter(text, new OpenApiJsonWriterSettings { Terse = true }));
        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        return new Written(bytes, EntityTag.Of(bytes));
    }

    private sealed record Written(byte[] Bytes, string Tag);
}
