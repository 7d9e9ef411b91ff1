using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Bellhop.Bench;

/// <summary>A closed loop of HTTP/1.1 connections that costs little itself: requests are bytes, answers are counted by length.</summary>
public static class Load
{
    /// <param name="PerSecond">Answers with the expected status.</param>
    /// <param name="ClientCores">What the load generator itself used of the machine.</param>
    public sealed record Result(
        double PerSecond,
        double P50,
        double P95,
        double P99,
        int Unexpected,
        double ClientCores
    );

    /// <summary>Posts for some seconds from some connections.</summary>
    /// <param name="body">Makes the body of the n-th request of a connection.</param>
    public static Task<Result> RunAsync(
        BenchHost host,
        string path,
        int connections,
        int seconds,
        int expect,
        Func<int, int, string> body
    )
    {
        var head =
            $"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {host.Key}\r\nContent-Type: application/json\r\nContent-Length: ";
        return RunAsync(
            host.Port,
            connections,
            seconds,
            expect,
            (number, request) =>
            {
                var text = body(number, request);
                return $"{head}{Encoding.UTF8.GetByteCount(text)}\r\n\r\n{text}";
            }
        );
    }

    /// <summary>Gets for some seconds from some connections, with a key; answers are expected to be 200.</summary>
    /// <param name="path">Makes the path of the n-th request of a connection.</param>
    public static Task<Result> GetAsync(
        int port,
        string key,
        int connections,
        int seconds,
        Func<int, int, string> path
    ) =>
        RunAsync(
            port,
            connections,
            seconds,
            200,
            (number, request) =>
                $"GET {path(number, request)} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n"
        );

    /// <summary>Posts without a key, and pauses after each answer, as a client that was told to come again does.</summary>
    public static Task<Result> PostAsync(
        int port,
        string path,
        int connections,
        int seconds,
        int expect,
        TimeSpan pause,
        Func<int, int, string> body
    ) =>
        RunAsync(
            port,
            connections,
            seconds,
            expect,
            (number, request) =>
            {
                var text = body(number, request);
                return $"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(text)}\r\n\r\n{text}";
            },
            pause
        );

    private static async Task<Result> RunAsync(
        int port,
        int connections,
        int seconds,
        int expect,
        Func<int, int, string> request,
        TimeSpan pause = default
    )
    {
        var until = Stopwatch.GetTimestamp() + (seconds * Stopwatch.Frequency);
        var cpu = Process.GetCurrentProcess().TotalProcessorTime;
        var watch = Stopwatch.StartNew();
        var all = await Task.WhenAll(
            Enumerable
                .Range(0, connections)
                .Select(number => Task.Run(() => ConnectionAsync(port, number, until, expect, request, pause)))
        );
        var elapsed = watch.Elapsed.TotalSeconds;
        var used = (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalSeconds;
        var sorted = all.SelectMany(one => one.Latencies).Order().ToArray();
        return new Result(
            sorted.Length / elapsed,
            At(sorted, 0.50),
            At(sorted, 0.95),
            At(sorted, 0.99),
            all.Sum(one => one.Unexpected),
            used / elapsed
        );
    }

    /// <summary>A quantile of sorted milliseconds.</summary>
    public static double At(double[] sorted, double part) =>
        sorted.Length == 0 ? 0 : sorted[(int)Math.Min(sorted.Length - 1, sorted.Length * part)];

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private static async Task<(List<double> Latencies, int Unexpected)> ConnectionAsync(
        int port,
        int number,
        long until,
        int expect,
        Func<int, int, string> write,
        TimeSpan pause
    )
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        var latencies = new List<double>();
        var unexpected = 0;
        var buffer = new byte[256 * 1024];
        for (var request = 0; Stopwatch.GetTimestamp() < until; request++)
        {
            var bytes = Encoding.UTF8.GetBytes(write(number, request));
            var began = Stopwatch.GetTimestamp();
            await socket.SendAsync(bytes);
            var status = await AnswerAsync(socket, buffer);
            if (status == expect)
            {
                latencies.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            }
            else
            {
                unexpected++;
            }

            if (pause > TimeSpan.Zero)
            {
                await Task.Delay(pause);
            }
        }

        return (latencies, unexpected);
    }

    private static async Task<int> AnswerAsync(Socket socket, byte[] buffer)
    {
        var have = 0;
        while (true)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(have));
            if (read == 0)
            {
                throw new IOException("The service closed the connection.");
            }

            have += read;
            if (IsWhole(buffer.AsSpan(0, have)))
            {
                _ = Utf8Parser.TryParse(buffer.AsSpan(9, 3), out int status, out _);
                return status;
            }
        }
    }

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        var at = answer.IndexOf("Content-Length: "u8);
        if (at >= 0 && at < end)
        {
            _ = Utf8Parser.TryParse(answer[(at + 16)..], out int length, out _);
            return answer.Length >= end + 4 + length;
        }

        return answer.EndsWith("0\r\n\r\n"u8); // chunked
    }
}
