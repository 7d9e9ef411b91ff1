using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Bellhop.Infrastructure.Outgoing;
using Bellhop.Tests.Infrastructure.Outgoing;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

/// <summary>Where no connection may lead, by a service whose operator allows no network: at save, and at each check.</summary>
public sealed class ConnectionAddressTests(StrictService strict) : IClassFixture<StrictService>
{
    [Fact]
    public async Task No_URL_that_leads_inside_is_saved()
    {
        Assert.NotEmpty(Corpus.Rows());
        foreach (var (url, code) in Corpus.Rows().Select(row => row.Data))
        {
            var text = JsonSerializer.Serialize(url);
            foreach (var (pointer, document) in Documents(text))
            {
                var answer = await strict.Http.ChangeAsync("PUT", $"{TestConnections.Path}/c", document);
                Assert.Equal((url, HttpStatusCode.UnprocessableEntity), (url, answer.Status));
                Assert.Contains(($"/config/{pointer}", code), answer.Errors());
            }
        }

        static IEnumerable<(string, string)> Documents(string url) =>
            [
                ("base_url", $$"""{"kind":"http","config":{"base_url":{{url}} } }"""),
                (
                    "auth/token_url",
                    $$"""{"kind":"http","config":{"base_url":"https://a.example","auth":{"type":"oauth2","client_id":"c","token_url":{{url}} } },"secret":{"value":"s"} }"""
                ),
                (
                    "endpoint",
                    $$"""{"kind":"s3","config":{"endpoint":{{url}},"region":"r","bucket":"exports","access_key_id":"k"},"secret":{"value":"s"} }"""
                ),
                ("base_url", $$"""{"kind":"llm","config":{"base_url":{{url}},"model":"m"} }"""),
            ];
    }

    [Fact]
    public async Task No_host_that_leads_inside_is_saved()
    {
        Assert.NotEmpty(Corpus.Hosts());
        foreach (
            var (host, code) in Corpus.Hosts().Select(row => row.Data).Append(("own-db.example", "address_not_allowed"))
        )
        {
            var text = JsonSerializer.Serialize(host);
            foreach (var (pointer, document) in Documents(text))
            {
                var answer = await strict.Http.ChangeAsync("PUT", $"{TestConnections.Path}/c", document);
                Assert.Equal((host, HttpStatusCode.UnprocessableEntity), (host, answer.Status));
                Assert.Contains(($"/config/{pointer}", code), answer.Errors());
            }
        }

        static IEnumerable<(string, string)> Documents(string host) =>
            [
                (
                    "host",
                    $$"""{"kind":"postgresql","config":{"host":{{host}},"database":"d","user":"u"},"secret":{"value":"s"} }"""
                ),
                (
                    "host",
                    $$"""{"kind":"mysql","config":{"host":{{host}},"database":"d","user":"u"},"secret":{"value":"s"} }"""
                ),
                ("host", $$"""{"kind":"smtp","config":{"host":{{host}},"from":"a@b.example"} }"""),
                (
                    "allowed_hosts/0",
                    $$"""{"kind":"http","config":{"base_url":"https://a.example","allowed_hosts":[{{host}}]} }"""
                ),
            ];
    }

    [Theory]
    [InlineData("inside.example")] // a private address
    [InlineData("mixed.example")] // a public one and a private one
    [InlineData("metadata.example")]
    [InlineData("mapped.example")] // IPv6 that carries a private IPv4
    [InlineData("own-db.example")] // what this service lives on, by another name
    public async Task A_name_that_turns_out_to_lead_inside_is_refused_at_the_check(string host)
    {
        string[] documents =
        [
            $$"""{"kind":"http","config":{"base_url":"https://alias-{{host}}/"} }""",
            $$"""{"kind":"llm","config":{"base_url":"https://alias-{{host}}/","model":"m"} }""",
            $$"""{"kind":"s3","config":{"endpoint":"https://alias-{{host}}/","region":"r","bucket":"exports","access_key_id":"k"},"secret":{"value":"s"} }""",
            $$"""{"kind":"postgresql","config":{"host":"alias-{{host}}","database":"d","user":"u"},"secret":{"value":"s"} }""",
            $$"""{"kind":"mysql","config":{"host":"alias-{{host}}","database":"d","user":"u"},"secret":{"value":"s"} }""",
            $$"""{"kind":"smtp","config":{"host":"alias-{{host}}","from":"a@b.example"} }""",
        ];
        foreach (var document in documents)
        {
            var path = $"{TestConnections.Path}/c-{Guid.NewGuid():N}";
            (await strict.Http.ChangeAsync("PUT", path, document)).Expect(HttpStatusCode.Created);

            var report = Report.Of(await strict.Http.CallAsync("POST", $"{path}/check"));

            Assert.StartsWith("resolve This address may not be connected to", Assert.Single(report.Steps));
        }
    }

    [Fact]
    public async Task A_name_that_leads_elsewhere_when_it_is_asked_for_again_gets_no_request()
    {
        await using var first = await ApiDouble.StartAsync(_ => Results.Ok());
        var asked = 0;
        await using var rebound = await OwnService.StartAsync(
            strict.Shared,
            adjust: builder =>
                StrictService.Use(
                    builder,
                    new AddressPolicy([IPNetwork.Parse("127.0.0.0/8")]),
                    _ => [Interlocked.Increment(ref asked) == 1 ? IPAddress.Loopback : IPAddress.Parse("10.0.0.1")]
                )
        );
        using var http = await StrictService.NewClientAsync(rebound);
        var document = $$"""{"kind":"http","config":{"base_url":"http://rebound.example:{{first.Port}}/"} }""";
        await http.ChangeAsync("PUT", $"{TestConnections.Path}/c", document);

        var report = Report.Of(await http.CallAsync("POST", $"{TestConnections.Path}/c/check"));

        Assert.Equal(["resolve ok", "connect ok"], report.Steps.Take(2));
        Assert.StartsWith("request This address may not be connected to", report.Steps[^1]);
        Assert.Equal((2, 0), (asked, first.Requests.Count));
    }
}

/// <summary>A service that may reach public addresses only, and a resolver that says what the tests want.</summary>
public sealed class StrictService(ServiceFixture service) : IAsyncLifetime
{
    private OwnService? _service;

    public ServiceFixture Shared { get; } = service;

    public HttpClient Http { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var policy = new AddressPolicy([], ["own-db.example"]);
        _service = await OwnService.StartAsync(Shared, adjust: builder => Use(builder, policy, Resolve));
        Http = await NewClientAsync(_service);
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        if (_service is not null)
        {
            await _service.DisposeAsync();
        }
    }

    internal static async Task<HttpClient> NewClientAsync(OwnService service)
    {
        var http = new HttpClient { BaseAddress = service.Address };
        http.DefaultRequestHeaders.Authorization = new("Bearer", await service.NewKeyAsync());
        return http;
    }

    internal static void Use(WebApplicationBuilder builder, AddressPolicy policy, Func<string, IPAddress[]> resolve)
    {
        builder.Logging.ClearProviders(); // or hundreds of requests bury the one failure
        var dialer = new Dialer(policy, TimeProvider.System, (host, _) => Task.FromResult(resolve(host)));
        builder
            .Services.AddSingleton(policy)
            .AddSingleton(dialer)
            .AddSingleton(new OutgoingClient(policy, dialer, TimeProvider.System));
    }

    private static IPAddress[] Resolve(string host) =>
        host.Replace("alias-", "", StringComparison.Ordinal) switch
        {
            "inside.example" => [IPAddress.Parse("10.0.0.1")],
            "mixed.example" => [IPAddress.Parse("1.1.1.1"), IPAddress.Loopback],
            "metadata.example" => [IPAddress.Parse("169.254.169.254")],
            "mapped.example" => [IPAddress.Parse("64:ff9b::7f00:1")],
            "own-db.example" => [IPAddress.Parse("8.8.8.8")],
            _ => throw new SocketException((int)SocketError.HostNotFound),
        };
}
