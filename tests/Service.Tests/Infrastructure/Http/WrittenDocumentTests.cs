using System.Net;
using System.Net.Http.Headers;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http;

public sealed class WrittenDocumentTests(ServiceFixture service)
{
    private const string Path = "/openapi.json";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_document_is_made_once_however_many_ask_for_it()
    {
        var made = 0;
        await using var own = await OwnService.StartAsync(
            service,
            adjust: builder =>
                builder.Services.Configure<OpenApiOptions>(
                    Documentation.Name,
                    options =>
                        options.AddDocumentTransformer(
                            (_, _, _) =>
                            {
                                Interlocked.Increment(ref made);
                                return Task.CompletedTask;
                            }
                        )
                )
        );
        using var client = new HttpClient { BaseAddress = own.Address };

        var documents = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => client.GetByteArrayAsync(Path, Token)));

        Assert.Equal(1, made);
        Assert.All(documents, document => Assert.Equal(documents[0], document));
    }

    [Fact]
    public async Task Who_has_it_already_is_answered_304()
    {
        using var client = service.NewClient();
        using var first = await client.GetAsync(Path, Token);
        using var request = new HttpRequestMessage(HttpMethod.Get, Path);
        request.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using var again = await client.SendAsync(request, Token);
        using var other = new HttpRequestMessage(HttpMethod.Get, Path);
        other.Headers.IfNoneMatch.Add(new EntityTagHeaderValue("\"another\""));
        using var changed = await client.SendAsync(other, Token);

        Assert.False(first.Headers.ETag!.IsWeak);
        Assert.Equal("application/json; charset=utf-8", first.Content.Headers.ContentType?.ToString());
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
        Assert.Equal(first.Headers.ETag, again.Headers.ETag);
        Assert.Equal("public, max-age=300", again.Headers.CacheControl?.ToString());
        Assert.Empty(await again.Content.ReadAsByteArrayAsync(Token));
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
    }
}
