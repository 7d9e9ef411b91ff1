using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Bellhop.Infrastructure.Secrets;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http;

/// <summary>Cursors of lists between replicas whose key rings differ, as they do while a key is added.</summary>
public sealed class CursorTests(ServiceFixture service) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bellhop-ring-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_cursor_is_read_by_every_replica_that_has_its_key_wherever_in_the_ring()
    {
        var (before, after) = (Path.Combine(_folder, "before"), Path.Combine(_folder, "after"));
        KeyRing.LoadOrCreate(before);
        File.Copy(before, after);
        KeyRing.AddKey(after);
        await using var old = await OwnService.StartAsync(service, keyRing: before);
        await using var rotated = await OwnService.StartAsync(service, keyRing: after, beside: old);
        var key = await old.NewKeyAsync();
        using var ofOld = ClientOf(old, key);
        using var ofRotated = ClientOf(rotated, key);
        for (var count = 0; count < 3; count++)
        {
            await MakeSecretAsync(ofOld, count);
        }

        var (first, cursor) = await PageAsync(ofOld, "/v1/secrets?limit=1");
        var (second, next) = await PageAsync(ofRotated, $"/v1/secrets?limit=1&cursor={cursor}");
        using var refused = await ofOld.GetAsync($"/v1/secrets?limit=1&cursor={next}", Token);
        var (third, end) = await PageAsync(ofRotated, $"/v1/secrets?limit=1&cursor={next}");

        Assert.Equal(["s0", "s1", "s2"], [first, second, third]);
        Assert.Null(end);
        // the old ring lacks the key that signs now
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("cursor_mismatch", await refused.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    private static HttpClient ClientOf(OwnService own, string key)
    {
        var client = new HttpClient { BaseAddress = own.Address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    private static async Task MakeSecretAsync(HttpClient client, int number)
    {
        using var body = new StringContent("""{"value":"correct horse"}""");
        body.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var answer = await client.PutAsync($"/v1/secrets/s{number}", body, Token);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    private static async Task<(string? Name, string? Cursor)> PageAsync(HttpClient client, string path)
    {
        var page = JsonElement.Parse(await client.GetStringAsync(path, Token));
        return (
            page.GetProperty("items")[0].GetProperty("name").GetString(),
            page.GetProperty("next_cursor").GetString()
        );
    }
}
