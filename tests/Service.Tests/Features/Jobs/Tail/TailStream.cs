using System.Net;
using System.Text.Json;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Tail;

/// <summary>Somebody who watches the jobs of a project.</summary>
internal sealed class TailStream : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40); // others on the database hold ends back for 15

    private readonly HttpResponseMessage _answer;
    private readonly StreamReader _reader;

    private TailStream(HttpResponseMessage answer, StreamReader reader) => (_answer, _reader) = (answer, reader);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<TailStream> OpenAsync(HttpClient http, string query = "", string? lastId = null)
    {
        var answer = await AskAsync(http, query, lastId);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return new TailStream(answer, new StreamReader(await answer.Content.ReadAsStreamAsync(Token)));
    }

    public static async Task<HttpResponseMessage> AskAsync(HttpClient http, string query = "", string? lastId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/jobs/events{query}");
        if (lastId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastId);
        }

        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
    }

    /// <summary>The next event; one named <c>end</c> where the stream ends.</summary>
    public async Task<TailedEvent> NextAsync()
    {
        var (id, name) = ("", "");
        // in all: a stream on which nothing happens has lines too
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        patience.CancelAfter(Patience);
        while (await _reader.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.StartsWith("id: ", StringComparison.Ordinal))
            {
                id = line[4..];
            }
            else if (line.StartsWith("event: ", StringComparison.Ordinal))
            {
                name = line[7..];
            }
            else if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                return new TailedEvent(id, name, JsonElement.Parse(line[6..]));
            }
        }

        throw new InvalidOperationException("The stream broke off.");
    }

    /// <summary>The next job that has ended.</summary>
    public async Task<TailedEvent> NextEndAsync()
    {
        var next = await NextAsync();
        while (next.Name == "started")
        {
            next = await NextAsync();
        }

        Assert.Equal("ended", next.Name);
        return next;
    }

    public void Dispose()
    {
        _reader.Dispose();
        _answer.Dispose();
    }
}

internal sealed record TailedEvent(string Id, string Name, JsonElement Data)
{
    public Guid Job => Data.GetProperty("id").GetGuid();

    public string? State => Data.GetProperty("state").GetString();
}
