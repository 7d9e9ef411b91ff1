using System.Net;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Bellhop.Tests.Abuse;

/// <summary>A service as deploy/README.md sets it up: behind Caddy, which alone is trusted, under one name.</summary>
public sealed class PublicDoor(ServiceFixture service) : IAsyncLifetime
{
    private OwnService? _own;
    private CaddyProcess? _caddy;
    private CaddyProcess? _caddyOfNobody;
    private HttpClient? _client;

    public OwnService Own => _own!;

    public CaddyProcess Caddy => _caddy!;

    /// <summary>The answers to a hundred requests whose headers do not end; they were sent when the door was opened.</summary>
    public Task<string[]> SlowAnswers { get; private set; } = Task.FromResult<string[]>([]);

    /// <summary>The answer to a GET of /v1/jobs where no service is behind the proxy; it was sent when the door was opened.</summary>
    public Task<HttpResponseMessage> AnswerOfNobody { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _own = await OwnService.StartAsync(
            service,
            set: settings =>
                settings with
                {
                    AllowedHosts = ["localhost"],
                    TrustedProxies = [IPNetwork.Parse("127.0.0.1/32")],
                },
            adjust: builder => builder.Logging.ClearProviders(),
            map: app =>
                app.MapGet(
                        "/v1/way",
                        (HttpContext http) =>
                            $"{http.Connection.RemoteIpAddress} {http.Request.Scheme} {http.Request.Host.Host}"
                    )
                    .AllowAnonymous()
        );
        _caddy = await CaddyProcess.StartAsync(_own.Address.Authority);
        _caddyOfNobody = await CaddyProcess.StartAsync($"127.0.0.1:{ServiceProcess.FreePort()}");
        _client = _caddyOfNobody.NewClient();
        AnswerOfNobody = _client.GetAsync("/v1/jobs");
        const string Endless = "GET /v1/info HTTP/1.1\r\nHost: localhost\r\nX-A: ";
        SlowAnswers = Task.WhenAll(Enumerable.Range(0, 100).Select(_ => RawHttp.SendAsync(_caddy.Https, Endless)));
    }

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        foreach (var caddy in new[] { _caddy, _caddyOfNobody }.OfType<CaddyProcess>())
        {
            await caddy.DisposeAsync();
        }

        if (_own is not null)
        {
            await _own.DisposeAsync();
        }
    }
}
