using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Abuse;

/// <summary>R-46: what is larger than its route takes is 413, however it comes, and the answer arrives.</summary>
[Trait("Abuse", "R-46")]
public sealed class LargeRequestTests(ServiceFixture service)
{
    private const int MiB = 1024 * 1024;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/v1/jobs", 2, false)]
    [InlineData("/v1/jobs", 2, true)]
    [InlineData("/v1/jobs", 60, false)]
    [InlineData("/v1/jobs", 60, true)]
    [InlineData("/v1/jobs/bulk", 11, false)]
    [InlineData("/v1/jobs/bulk", 11, true)]
    [InlineData("/v1/jobs/bulk", 60, false)]
    [InlineData("/v1/jobs/bulk", 60, true)]
    [InlineData("/v1/events", 60, true)]
    [InlineData("/v1/events/batch", 60, true)]
    public async Task R46_a_body_over_the_limit_is_413_declared_or_in_chunks(string path, int mebibytes, bool inChunks)
    {
        var project = await service.NewProjectAsync();

        using var answer = await PostAsync(project, path, new Blanks(mebibytes * MiB), inChunks);

        await ExpectAsync(answer, HttpStatusCode.RequestEntityTooLarge, "too_large");
    }

    [Fact]
    public async Task R46_a_body_within_the_limit_may_come_in_chunks_of_one_byte()
    {
        var project = await service.NewProjectAsync();
        var chunks = string.Concat("""{"kind":"noop"}""".Select(letter => $"1\r\n{letter}\r\n"));
        var blanks = string.Concat(Enumerable.Repeat("1\r\n \r\n", 100_000));

        var answer = await RawHttp.SendAsync(
            service.Address,
            $"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {project.Key}\r\nConnection: close\r\n"
                + $"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{blanks}{chunks}0\r\n\r\n"
        );

        Assert.StartsWith("HTTP/1.1 201 ", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/jobs")]
    [InlineData("/v1/jobs/bulk")]
    [InlineData("/v1/events")]
    public async Task R46_a_body_that_unpacks_to_nearly_a_gigabyte_is_413(string path)
    {
        var project = await service.NewProjectAsync();
        using var packed = new MemoryStream();
        for (var member = 0; member < 900; member++)
        {
            await using var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true);
            await gzip.WriteAsync(Blanks.OneMebibyte, Token);
        }

        var content = new ByteArrayContent(packed.ToArray());
        content.Headers.ContentEncoding.Add("gzip");
        using var answer = await PostAsync(project, path, content, inChunks: true);

        await ExpectAsync(answer, HttpStatusCode.RequestEntityTooLarge, "too_large");
    }

    [Fact]
    public async Task R46_ten_thousand_parts_are_no_JSON()
    {
        var project = await service.NewProjectAsync();
        using var parts = new MultipartFormDataContent();
        for (var part = 0; part < 10_000; part++)
        {
            parts.Add(new StringContent("x"), $"p{part}");
        }

        using var answer = await project.Http.PostAsync("/v1/events/batch", parts, Token);

        await ExpectAsync(answer, HttpStatusCode.UnsupportedMediaType, "unsupported_media_type");
    }

    private static async Task<HttpResponseMessage> PostAsync(
        TestProject project,
        string path,
        HttpContent content,
        bool inChunks
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TransferEncodingChunked = inChunks;
        return await project.Http.SendAsync(request, Token);
    }

    private static async Task ExpectAsync(HttpResponseMessage answer, HttpStatusCode status, string code)
    {
        var text = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(answer.StatusCode == status, $"{answer.StatusCode} {text}");
        Assert.Equal(code, JsonElement.Parse(text).GetProperty("code").GetString());
    }

    /// <summary>So many bytes of nothing but spaces, made as they are sent.</summary>
    private sealed class Blanks(long bytes) : HttpContent
    {
        public static readonly byte[] OneMebibyte = [.. Enumerable.Repeat((byte)' ', MiB)];

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            for (var sent = 0L; sent < bytes; sent += MiB)
            {
                await stream.WriteAsync(OneMebibyte, Token);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = bytes;
            return true;
        }
    }
}
