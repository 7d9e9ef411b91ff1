using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

/// <summary>A customer's server on 127.0.0.1: keeps what comes and answers as the test says.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<ReceivedWebhook> _received = new();

    private Receiver(WebApplication app) => _app = app;

    public string Url => _app.Urls.First() + "/hook";

    public IReadOnlyList<ReceivedWebhook> Received => [.. _received];

    /// <summary>Answers 204 to everything.</summary>
    public static Task<Receiver> StartAsync() => StartAsync((_, _) => Task.FromResult(Results.NoContent()));

    /// <param name="answer">Given what came, and how many came before it.</param>
    public static async Task<Receiver> StartAsync(Func<ReceivedWebhook, int, Task<IResult>> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        var receiver = new Receiver(app);
        app.MapPost("/{**path}", http => receiver.TakeAsync(http, answer));
        await app.StartAsync(TestContext.Current.CancellationToken);
        return receiver;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext http, Func<ReceivedWebhook, int, Task<IResult>> answer)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        var webhook = new ReceivedWebhook(
            http.Request.Path,
            http.Request.Headers.ToDictionary(
                header => header.Key,
                header => header.Value.ToString(),
                StringComparer.OrdinalIgnoreCase
            ),
            Encoding.UTF8.GetString(body.ToArray())
        );
        int before;
        lock (_received)
        {
            before = _received.Count;
            _received.Enqueue(webhook);
        }

        var result = await answer(webhook, before);
        await result.ExecuteAsync(http);
    }
}

internal sealed record ReceivedWebhook(string Path, IReadOnlyDictionary<string, string> Headers, string Body)
{
    public string Id => Headers["webhook-id"];

    public JsonElement Json => JsonElement.Parse(Body);
}
