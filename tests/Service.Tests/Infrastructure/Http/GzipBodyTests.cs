using System.IO.Compression;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http;

public sealed class GzipBodyTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("gzip")]
    [InlineData("GZIP")]
    [InlineData("x-gzip")]
    public async Task A_packed_body_is_read_as_if_it_were_not(string encoding)
    {
        var project = await service.NewProjectAsync();
        using var answer = await PostAsync(project, Pack("""{"kind":"noop"}"""u8.ToArray()), encoding);

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    [Fact]
    public async Task A_body_in_several_members_is_one_body()
    {
        var project = await service.NewProjectAsync();
        byte[] members = [.. Pack("{\"kind\":"u8.ToArray()), .. Pack("\"noop\"}"u8.ToArray())];
        using var answer = await PostAsync(project, members, "gzip");

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    [Theory]
    [InlineData("br")]
    [InlineData("zstd")]
    [InlineData("gzip, gzip")]
    [InlineData("deflate")]
    public async Task Another_encoding_is_415_and_told_what_would_do(string encoding)
    {
        var project = await service.NewProjectAsync();
        using var answer = await PostAsync(project, "{}"u8.ToArray(), encoding);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
        Assert.Equal("gzip, identity", string.Join(", ", answer.Headers.GetValues("Accept-Encoding")));
        Assert.Equal("Content-Encoding", await FaultAsync(answer, "header"));
    }

    [Fact]
    public async Task A_body_that_is_not_gzip_or_ends_too_early_is_400()
    {
        var project = await service.NewProjectAsync();
        var packed = Pack(Encoding.UTF8.GetBytes($"{{\"kind\":\"{Guid.NewGuid()}\"}}"));
        foreach (var broken in new[] { "{\"kind\":\"noop\"}"u8.ToArray(), packed[..^9], packed[..12] })
        {
            using var answer = await PostAsync(project, broken, "gzip");

            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.Equal("invalid_gzip", await FaultAsync(answer, "code"));
        }
    }

    [Fact]
    public async Task What_unpacks_to_more_than_the_route_takes_is_413()
    {
        var project = await service.NewProjectAsync();
        using var answer = await PostAsync(project, Pack(new byte[(1024 * 1024) + 1]), "gzip");

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
    }

    private static byte[] Pack(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(bytes);
        }

        return packed.ToArray();
    }

    private static async Task<HttpResponseMessage> PostAsync(TestProject project, byte[] body, string encoding)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        return await project.Http.PostAsync("/v1/jobs", content, Token);
    }

    private static async Task<string?> FaultAsync(HttpResponseMessage answer, string member) =>
        (await answer.Content.ReadFromJsonAsync<JsonElement>(Token))
            .GetProperty("errors")[0]
            .GetProperty(member)
            .GetString();
}
