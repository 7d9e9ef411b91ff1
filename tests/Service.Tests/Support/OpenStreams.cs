using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>Many readers of one stream of server-sent events, each on a connection of its own.</summary>
/// <remarks>Bare sockets: a reader costs this process little more than its buffer. The limit of open files is raised by .NET itself.</remarks>
public sealed class OpenStreams : IAsyncDisposable
{
    private const int AtOnce = 100;

    private readonly List<Reader> _readers = [];
    private readonly CancellationTokenSource _over = new();
    private Task _reading = Task.CompletedTask;

    /// <summary>How many were answered 200 and not ended yet.</summary>
    public int Open => _readers.Count(reader => reader.IsOpen);

    /// <summary>How long it took until all had been answered and were sent the first event.</summary>
    public TimeSpan OpenedIn { get; private set; }

    /// <summary>Opens so many streams and waits until each has had a first event.</summary>
    public static async Task<OpenStreams> OpenAsync(Uri address, string path, string key, int count)
    {
        var streams = new OpenStreams();
        var request = Encoding.ASCII.GetBytes(
            $"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n\r\n"
        );
        var watch = Stopwatch.StartNew();
        for (var opened = 0; opened < count; opened += AtOnce)
        {
            var next = Enumerable.Range(0, Math.Min(AtOnce, count - opened)).Select(_ => new Reader()).ToArray();
            streams._readers.AddRange(next);
            await Task.WhenAll(next.Select(reader => reader.OpenAsync(address, request)));
            streams._reading = Task.WhenAll([
                streams._reading,
                .. next.Select(one => one.RunAsync(streams._over.Token)),
            ]);
        }

        await streams.UntilAllHaveAsync("event: job", TimeSpan.FromMinutes(2));
        streams.OpenedIn = watch.Elapsed;
        return streams;
    }

    /// <summary>Waits until all have been sent the text; answers how long that took from now.</summary>
    public async Task<TimeSpan> UntilAllHaveAsync(string text, TimeSpan patience)
    {
        var watch = Stopwatch.StartNew();
        await Eventually.FitAsync(
            () => Task.FromResult(_readers.Count(reader => reader.Has(text))),
            have => have == _readers.Count,
            patience
        );
        return watch.Elapsed;
    }

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        _readers.ForEach(reader => reader.Dispose());
        await _reading;
        _over.Dispose();
    }

    private sealed class Reader : IDisposable
    {
        private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private volatile string _text = "";
        private volatile bool _isClosed;

        public bool IsOpen => !_isClosed && Has("HTTP/1.1 200 ");

        public bool Has(string text) => _text.Contains(text, StringComparison.Ordinal);

        public async Task OpenAsync(Uri address, byte[] request)
        {
            await _socket.ConnectAsync(address.Host, address.Port, TestContext.Current.CancellationToken);
            await _socket.SendAsync(request, TestContext.Current.CancellationToken);
        }

        public async Task RunAsync(CancellationToken over)
        {
            var buffer = new byte[1024];
            try
            {
                while (await _socket.ReceiveAsync(buffer, over) is > 0 and var count)
                {
                    _text += Encoding.ASCII.GetString(buffer, 0, count);
                }
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException)
            {
                // it is over
            }

            _isClosed = true;
        }

        public void Dispose() => _socket.Dispose();
    }
}
