using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http;

/// <summary>A service with limits, foreign origins, a trusted proxy and names of its own; its clock stands until a test moves it.</summary>
/// <remarks>Each test comes from a loopback address of its own, so that no budget is shared.</remarks>
public sealed class EdgeHost(ServiceFixture service) : IAsyncLifetime
{
    public const string Origin = "https://console.example.com";
    public const string HostName = "bellhop.example.com";

    /// <summary>The only address whose X-Forwarded-* headers count.</summary>
    public static readonly IPAddress Proxy = IPAddress.Parse("127.0.0.2");

    private static int _lastAddress = 10;

    private OwnService? _own;

    public FakeTimeProvider Clock { get; } = new(TimeProvider.System.GetUtcNow());

    public OwnService Own => _own!;

    public async ValueTask InitializeAsync() =>
        _own = await OwnService.StartAsync(
            service,
            set: settings =>
                settings with
                {
                    AllowedHosts = [HostName, "127.0.0.1"],
                    TrustedProxies = [new IPNetwork(Proxy, 32)],
                    CorsOrigins = [Origin, "http://localhost:5173"],
                    RateLimits = new Dictionary<string, RateLimit>
                    {
                        ["Key:Reads"] = new(5, 60),
                        ["Project:Writes"] = new(4, 60),
                        ["Project:Bulk"] = new(2, 60),
                        ["Address:Reads"] = new(30, 60),
                        ["Address:Auth"] = new(3, 60),
                        ["Source:Inbound"] = new(4, 1),
                    },
                },
            adjust: builder => builder.Services.AddSingleton<TimeProvider>(Clock),
            map: MapOldRoutes
        );

    /// <summary>A client that comes from an address nobody else comes from, or from the one given.</summary>
    public HttpClient NewClient(string? key = null, IPAddress? from = null)
    {
        var address = from ?? NewAddress();
        var client = new HttpClient(
            new SocketsHttpHandler
            {
                ConnectCallback = async (context, cancellationToken) =>
                {
                    var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                    socket.Bind(new IPEndPoint(address, 0));
                    await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                    return new NetworkStream(socket, ownsSocket: true);
                },
            }
        )
        {
            BaseAddress = Own.Address,
        };
        client.DefaultRequestHeaders.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    public static IPAddress NewAddress() => IPAddress.Parse($"127.0.1.{Interlocked.Increment(ref _lastAddress)}");

    public ValueTask DisposeAsync() => _own?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static void MapOldRoutes(WebApplication app)
    {
        app.MapGet("/v1/old", () => TypedResults.Ok())
            .AllowAnonymous()
            .WithName("GetOld")
            .Deprecated(
                DateTimeOffset.Parse("2026-01-31T00:00:00Z", null),
                DateTimeOffset.Parse("2027-01-31T12:00:00Z", null),
                new Uri("https://example.com/what-instead")
            );
        app.MapGet("/v1/broken", string () => throw new InvalidOperationException("canary"))
            .AllowAnonymous()
            .WithName("GetBroken")
            .Deprecated(DateTimeOffset.Parse("2026-01-31T00:00:00Z", null));
        app.MapGet(
                "/v1/address",
                (HttpContext http) => new Seen($"{http.Connection.RemoteIpAddress}", http.Request.Scheme)
            )
            .AllowAnonymous();
    }

    public sealed record Seen(string Address, string Scheme);
}
