using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.ApiKeys;
using Bellhop.Features.Sources;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http.RateLimits;

/// <summary>Limits through the front door; see <see cref="EdgeHost"/> for what they are. Its clock stands unless a test moves it.</summary>
public sealed class RateLimitingTests(EdgeHost host) : IClassFixture<EdgeHost>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_has_its_reads_then_429_with_the_time_to_wait()
    {
        using var client = host.NewClient(await host.Own.NewKeyAsync());
        for (var left = 4; left >= 0; left--)
        {
            using var answer = await client.GetAsync("/v1/jobs", Token);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Contains(
                $"\"key-reads\";r={left};t={(5 - left) * 12}",
                One(answer, "RateLimit"),
                StringComparison.Ordinal
            );
        }

        using var refused = await client.GetAsync("/v1/jobs", Token);

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal("12", One(refused, "Retry-After"));
        Assert.Equal("\"address-reads\";q=30;w=60, \"key-reads\";q=5;w=60", One(refused, "RateLimit-Policy"));
        Assert.Equal("\"address-reads\";r=24;t=12, \"key-reads\";r=0;t=60", One(refused, "RateLimit"));
        var problem = await refused.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.Equal("rate_limited", problem.GetProperty("code").GetString());
    }

    [Fact]
    public async Task HEAD_counts_as_a_read()
    {
        using var client = host.NewClient(await host.Own.NewKeyAsync());
        using var answer = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/v1/jobs"), Token);

        Assert.Contains("\"key-reads\";r=4", One(answer, "RateLimit"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_of_one_project_share_its_writes_and_neither_bulk_nor_workers_use_them()
    {
        using var one = host.NewClient(await host.Own.NewKeyAsync());
        using var other = host.NewClient(await host.Own.NewKeyAsync());
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 3; i++)
        {
            statuses.Add((await one.PostAsJsonAsync("/v1/jobs", new { kind = "noop" }, Token)).StatusCode);
            statuses.Add((await other.PostAsJsonAsync("/v1/jobs", new { kind = "noop" }, Token)).StatusCode);
        }

        using var bulk = await one.PostAsJsonAsync("/v1/events/batch", new { events = Array.Empty<object>() }, Token);

        using var beat = await one.PostAsJsonAsync(
            "/v1/jobs/heartbeat",
            new { worker = new { id = Guid.CreateVersion7(), name = "beating" }, jobs = Array.Empty<object>() },
            Token
        );

        Assert.Equal(4, statuses.Count(status => status == HttpStatusCode.Created));
        Assert.Equal(2, statuses.Count(status => status == HttpStatusCode.TooManyRequests));
        Assert.Equal("\"project-bulk\";r=1;t=30", One(bulk, "RateLimit"));
        Assert.Equal(HttpStatusCode.OK, beat.StatusCode);
    }

    [Fact]
    public async Task An_address_that_failed_too_often_gets_429_whatever_it_shows_and_no_look_up()
    {
        var from = EdgeHost.NewAddress();
        using var stranger = host.NewClient("bh_wrong", from);
        for (var i = 0; i < 3; i++)
        {
            using var answer = await stranger.GetAsync("/v1/jobs", Token);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }

        // a key of the right shape that nobody has, and one that is good but was never seen here
        foreach (var key in new[] { ApiKey.Create(Guid.CreateVersion7()).Text, await host.Own.NewKeyAsync(), null })
        {
            using var client = host.NewClient(key, from);
            using var answer = await client.GetAsync("/v1/jobs", Token);

            Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
            Assert.Equal("20", One(answer, "Retry-After"));
            Assert.Contains("\"address-auth\";r=0", One(answer, "RateLimit"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_key_that_was_seen_goes_on_working_from_an_address_that_failed_too_often()
    {
        var from = EdgeHost.NewAddress();
        using var known = host.NewClient(await host.Own.NewKeyAsync(), from);
        using var before = await known.GetAsync("/v1/jobs", Token);
        using var stranger = host.NewClient("bh_wrong", from);
        for (var i = 0; i < 10; i++)
        {
            await stranger.GetAsync("/v1/jobs", Token);
        }

        using var after = await known.GetAsync("/v1/jobs", Token);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (before.StatusCode, after.StatusCode));
    }

    [Fact]
    public async Task A_flood_without_a_key_or_with_a_wrong_secret_uses_up_nobody_s_budget()
    {
        var key = await host.Own.NewKeyAsync();
        using var owner = host.NewClient(key);
        // the id of a real key with another secret
        var id = key.Split('_')[1];
        using var forger = host.NewClient($"bh_{id}_{new string('0', 49)}");
        using var nobody = host.NewClient();
        for (var i = 0; i < 20; i++)
        {
            await forger.GetAsync("/v1/jobs", Token);
            await nobody.GetAsync("/v1/jobs", Token);
        }

        using var answer = await owner.GetAsync("/v1/jobs", Token);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains("\"key-reads\";r=4", One(answer, "RateLimit"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_spoofed_address_gets_nobody_a_new_budget()
    {
        using var client = host.NewClient("bh_wrong");
        var last = HttpStatusCode.OK;
        for (var i = 0; i < 5; i++)
        {
            client.DefaultRequestHeaders.Remove("X-Forwarded-For");
            client.DefaultRequestHeaders.Add("X-Forwarded-For", $"203.0.113.{i}");
            using var answer = await client.GetAsync("/v1/jobs", Token);
            last = answer.StatusCode;
        }

        Assert.Equal(HttpStatusCode.TooManyRequests, last);
    }

    [Fact]
    public async Task Behind_a_trusted_proxy_each_client_has_its_own_budget()
    {
        using var client = host.NewClient("bh_wrong", EdgeHost.Proxy);
        for (var i = 0; i < 5; i++)
        {
            client.DefaultRequestHeaders.Remove("X-Forwarded-For");
            client.DefaultRequestHeaders.Add("X-Forwarded-For", $"198.51.100.{i}");
            using var answer = await client.GetAsync("/v1/jobs", Token);

            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }
    }

    [Fact]
    public async Task A_source_has_so_many_webhooks_a_second_and_guesses_count_for_their_address()
    {
        var path = await NewInboundPathAsync();
        var from = EdgeHost.NewAddress();
        using var sender = host.NewClient(from: from);
        for (var i = 0; i < 4; i++)
        {
            using var guess = await sender.PostAsync("/in/nobody", null, Token);
            Assert.Equal(HttpStatusCode.NotFound, guess.StatusCode);
        }

        using var guessed = await sender.PostAsync("/in/nobody", null, Token);
        using var unseen = await sender.PostAsync(path, null, Token); // looks like a guess from here
        using var elsewhere = host.NewClient();
        using var first = await elsewhere.PostAsync(path, null, Token);
        using var seen = await sender.PostAsync(path, null, Token);
        await elsewhere.PostAsync(path, null, Token);
        await elsewhere.PostAsync(path, null, Token);
        using var oneTooMany = await elsewhere.PostAsync(path, null, Token);

        Assert.Equal(HttpStatusCode.TooManyRequests, guessed.StatusCode);
        Assert.Equal(HttpStatusCode.TooManyRequests, unseen.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, first.StatusCode); // the signature
        Assert.Equal(HttpStatusCode.Unauthorized, seen.StatusCode);
        Assert.Equal(HttpStatusCode.TooManyRequests, oneTooMany.StatusCode);
        Assert.Equal("1", One(oneTooMany, "Retry-After"));
        Assert.Equal("\"source-inbound\";q=4;w=1", One(oneTooMany, "RateLimit-Policy"));
    }

    [Fact]
    public async Task Probes_are_never_counted()
    {
        using var client = host.NewClient();
        for (var i = 0; i < 40; i++)
        {
            using var answer = await client.GetAsync("/health/live", Token);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    [Fact]
    public async Task Routes_that_do_not_exist_are_counted_too()
    {
        using var client = host.NewClient();
        for (var i = 0; i < 30; i++)
        {
            await client.GetAsync("/nowhere", Token);
        }

        using var answer = await client.GetAsync("/nowhere", Token);

        Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
    }

    private async Task<string> NewInboundPathAsync()
    {
        var command = new CreateSource.Command(
            new SourceDocument($"s-{Guid.NewGuid():N}"[..20], "github", "0123456789abcdef0123456789abcdef")
        );
        return (await host.Own.SendAsync(host.Own.ProjectId, command)).Unwrap().InboundPath;
    }

    private static string One(HttpResponseMessage answer, string header) => answer.Headers.GetValues(header).Single();
}
