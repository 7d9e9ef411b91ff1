using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Bellhop.Tests.Crash;

/// <summary>A receiver of webhooks that verifies and remembers everything that reached it.</summary>
public sealed class EffectSink : IAsyncDisposable
{
    private readonly WebApplication _app;
    private byte[] _key = [];

    private EffectSink(WebApplication app) => _app = app;

    /// <summary>How often each webhook-id arrived.</summary>
    public ConcurrentDictionary<Guid, int> Received { get; } = new();

    /// <summary>The webhook-sequence each webhook-id came with; it never changes.</summary>
    public ConcurrentDictionary<Guid, long> Sequences { get; } = new();

    public ConcurrentQueue<string> Faults { get; } = new();

    public string Url =>
        _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()
        + "/hook";

    public static async Task<EffectSink> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        var sink = new EffectSink(app);
        app.MapPost("/hook", sink.TakeAsync);
        await app.StartAsync();
        return sink;
    }

    /// <summary>The secret the endpoint was made with.</summary>
    public void Expect(string secret) => _key = Convert.FromBase64String(secret["whsec_".Length..]);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task<IResult> TakeAsync(HttpRequest request)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        var id = request.Headers["webhook-id"].ToString();
        var signed = $"{id}.{request.Headers["webhook-timestamp"]}.{Encoding.UTF8.GetString(body.ToArray())}";
        var signature = "v1," + Convert.ToBase64String(HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(signed)));
        if (!request.Headers["webhook-signature"].ToString().Split(' ').Contains(signature))
        {
            Faults.Enqueue($"{id} is not signed with the endpoint's secret");
            return Results.Unauthorized();
        }

        var delivery = Guid.Parse(id);
        var sequence = long.Parse(request.Headers["webhook-sequence"].ToString(), null);
        if (Sequences.GetOrAdd(delivery, sequence) != sequence)
        {
            Faults.Enqueue($"{id} came with two sequence numbers");
        }

        Received.AddOrUpdate(delivery, 1, (_, count) => count + 1);
        return Results.NoContent();
    }
}
