using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>A server on 127.0.0.1: keeps what comes and answers as the test says.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<ReceivedRequest> _received = new();

    private Receiver(WebApplication app) => _app = app;

    public string Url => _app.Urls.First() + "/hook";

    public IReadOnlyList<ReceivedRequest> Received => [.. _received];

    /// <summary>Answers 204 to everything.</summary>
    public static Task<Receiver> StartAsync() => StartAsync((_, _) => Task.FromResult(Results.NoContent()));

    /// <param name="answer">Given what came, and how many came before it.</param>
    public static async Task<Receiver> StartAsync(Func<ReceivedRequest, int, Task<IResult>> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        var receiver = new Receiver(app);
        app.Map("/{**path}", http => receiver.TakeAsync(http, answer));
        await app.StartAsync(TestContext.Current.CancellationToken);
        return receiver;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext http, Func<ReceivedRequest, int, Task<IResult>> answer)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        var webhook = new ReceivedRequest(
            http.Request.Path,
            http.Request.Headers.ToDictionary(
                header => header.Key,
                header => header.Value.ToString(),
                StringComparer.OrdinalIgnoreCase
            ),
            Encoding.UTF8.GetString(body.ToArray())
        )
        {
            Method = http.Request.Method,
            Query = $"{http.Request.QueryString}",
        };
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

internal sealed record ReceivedRequest(string Path, IReadOnlyDictionary<string, string> Headers, string Body)
{
    public string Method { get; init; } = "";

    /// <summary>With its question mark; empty where there is none.</summary>
    public string Query { get; init; } = "";

    public string Id => Headers["webhook-id"];

    public JsonElement Json => JsonElement.Parse(Body);
}
