using System.Net;
using System.Net.Sockets;
using System.Text;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Abuse;

/// <summary>R-45: who sends slowly is let go of, who reads slowly is waited for, and neither costs anybody else anything.</summary>
[Trait("Abuse", "R-45")]
public sealed class SlowClientTests(ServiceFixture service)
{
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(25);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task R45_slow_senders_are_let_go_of_slow_readers_are_waited_for_and_nobody_else_is_touched()
    {
        var project = await service.NewProjectAsync();
        using var rude = new Connections();
        await rude.OpenAsync(
            50,
            service.Address,
            "GET /docs/scalar.js HTTP/1.1\r\nHost: x\r\n\r\n",
            receiveBytes: 4096
        );

        var headers = DripAsync(500, "GET /v1/info HTTP/1.1\r\nHost: x\r\nX-A: ");
        var bodies = DripAsync(
            300,
            $"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {project.Key}\r\n"
                + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        );
        var script = ReadSlowlyAsync("/docs/scalar.js");
        await Task.WhenAll(headers, bodies, script);

        Assert.All(await headers, answer => Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal));
        Assert.All(await bodies, answer => Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal));
        Assert.All(await bodies, answer => Assert.Contains("\"too_slow\"", answer, StringComparison.Ordinal));
        using var client = service.NewClient();
        var whole = await client.GetStringAsync("/docs/scalar.js", Token);
        Assert.Equal(Encoding.UTF8.GetByteCount(whole), await script);
    }

    [Fact]
    public async Task R45_a_reader_of_a_stream_that_takes_nothing_for_ten_seconds_is_dropped()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var flood = new Flood();
        await using var own = await OwnService.StartAsync(
            service,
            adjust: builder =>
            {
                builder.Logging.ClearProviders();
                builder.Services.AddSingleton<TimeProvider>(clock);
            },
            map: app => app.MapGet("/v1/flood", () => new EventStream(flood.RunAsync())).AllowAnonymous()
        );
        using var rude = new Connections();
        await rude.OpenAsync(1, own.Address, "GET /v1/flood HTTP/1.1\r\nHost: x\r\n\r\n", receiveBytes: 4096);

        // what it sends meanwhile fills the buffers on the way; then it stands
        var before = -1L;
        await Eventually.BeTrueAsync(
            () =>
            {
                var stands = before > 0 && flood.Sent == before;
                before = flood.Sent;
                return Task.FromResult(stands);
            },
            "the stream waits for its reader"
        );
        clock.Advance(TimeSpan.FromSeconds(11));

        await flood.Ended.WaitAsync(Patience, Token);
    }

    /// <summary>Many who send a beginning, and then a letter a second, until all are let go of; others are answered meanwhile.</summary>
    private async Task<IReadOnlyList<string>> DripAsync(int many, string beginning)
    {
        using var slow = new Connections();
        await slow.OpenAsync(many, service.Address, beginning);
        var answers = Task.WhenAll(slow.Streams.Select(RawHttp.ReadAsync));
        using var client = service.NewClient();
        var given = DateTime.UtcNow + Patience;
        do
        {
            using var probe = await client.GetAsync("/health/live", Token);
            Assert.Equal(HttpStatusCode.OK, probe.StatusCode);
            await slow.WriteAsync("a"u8.ToArray());
            await Task.WhenAny(answers, Task.Delay(Beat, Token));
            Assert.True(DateTime.UtcNow < given, "They are not let go of.");
        } while (!answers.IsCompleted);

        return await answers;
    }

    /// <summary>Reads so little for a while that the other side has to wait, longer than its grace is; answers how much it was in the end.</summary>
    private async Task<int> ReadSlowlyAsync(string path)
    {
        using var client = new TcpClient { ReceiveBufferSize = 4096 };
        await using var stream = await RawHttp.OpenAsync(client, service.Address);
        var request = $"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n"; // no chunks
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), Token);
        var text = new StringBuilder();
        var buffer = new byte[2048];
        using var timer = new PeriodicTimer(Beat / 2);
        for (var passed = TimeSpan.Zero; passed < TimeSpan.FromSeconds(8); passed += Beat / 2)
        {
            await timer.WaitForNextTickAsync(Token);
            text.Append(Encoding.Latin1.GetString(buffer, 0, await stream.ReadAsync(buffer, Token)));
        }

        text.Append(await RawHttp.ReadAsync(stream).WaitAsync(Patience, Token));
        return RawHttp.Body(text.ToString()).Length;
    }

    /// <summary>Events without end, and how many were taken.</summary>
    private sealed class Flood
    {
        private readonly TaskCompletionSource _ended = new();
        private long _sent;

        public long Sent => Interlocked.Read(ref _sent);

        public Task Ended => _ended.Task;

        public async IAsyncEnumerable<StreamEvent> RunAsync()
        {
            var data = Encoding.UTF8.GetBytes($"\"{new string('a', 16 * 1024)}\"");
            try
            {
                while (true)
                {
                    await Task.Yield();
                    yield return new StreamEvent($"{Interlocked.Increment(ref _sent)}", "flood", data);
                }
            }
            finally
            {
                _ended.SetResult();
            }
        }
    }

    private sealed class Connections : IDisposable
    {
        private readonly List<TcpClient> _clients = [];
        private readonly List<Stream> _streams = [];

        public IReadOnlyList<Stream> Streams => _streams;

        public async Task OpenAsync(int many, Uri address, string beginning, int? receiveBytes = null)
        {
            foreach (var _ in Enumerable.Range(0, many))
            {
                var client = new TcpClient { NoDelay = true };
                _clients.Add(client);
                client.ReceiveBufferSize = receiveBytes ?? client.ReceiveBufferSize;
                var stream = await RawHttp.OpenAsync(client, address);
                _streams.Add(stream);
                await stream.WriteAsync(Encoding.Latin1.GetBytes(beginning), Token);
            }
        }

        public async Task WriteAsync(byte[] bytes)
        {
            foreach (var stream in _streams)
            {
                try
                {
                    await stream.WriteAsync(bytes, Token);
                }
                catch (IOException)
                {
                    // it was let go of
                }
            }
        }

        public void Dispose() => _clients.ForEach(client => client.Dispose());
    }
}
