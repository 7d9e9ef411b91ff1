using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Bellhop.Infrastructure.Outgoing;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Outgoing;

/// <summary>What a receiver may answer, at its worst. Every server here is the test's own on 127.0.0.1.</summary>
public sealed class OutgoingResponseTests : IDisposable
{
    private const int DefaultBodyBytes = 16 * 1024;

    private const string Empty = "HTTP/1.1 204 No Content\r\n\r\n";

    private static readonly AddressPolicy Policy = new([IPNetwork.Parse("127.0.0.0/8")]);

    private readonly OutgoingClient _client = new(Policy, TimeProvider.System);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Theory]
    [InlineData(0, false)]
    [InlineData(16_384, false)]
    [InlineData(16_385, true)]
    public async Task A_body_is_kept_up_to_sixteen_kibibytes(int length, bool truncated)
    {
        await using var server = LoopbackServer.Answering(
            $"HTTP/1.1 500 No\r\nContent-Length: {length}\r\n\r\n{new string('x', length)}"
        );

        var response = await _client.SendAsync(Post(server.Url), Token);

        Assert.Equal(500, response.Status);
        Assert.Null(response.ErrorCode);
        Assert.False(response.IsSuccessStatus);
        Assert.Equal(Math.Min(length, 16_384), response.Body.Length);
        Assert.Equal(truncated, response.BodyTruncated);
    }

    [Fact]
    public async Task An_endless_body_is_cut_and_its_connection_closed()
    {
        var closed = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = new LoopbackServer(
            async (socket, token) =>
            {
                await LoopbackServer.SendAsync(socket, "HTTP/1.1 200 OK\r\n\r\n", token);
                var sent = 0L;
                try
                {
                    while (true)
                    {
                        sent += await socket.SendAsync(new byte[4096], SocketFlags.None, token);
                    }
                }
                catch (SocketException)
                {
                    closed.SetResult(sent);
                }
            }
        );

        var response = await _client.SendAsync(Post(server.Url), Token);

        Assert.Equal(200, response.Status);
        Assert.True(response.BodyTruncated);
        Assert.Equal(DefaultBodyBytes, response.Body.Length);
        await closed.Task.WaitAsync(TimeSpan.FromSeconds(10), Token);
    }

    [Fact]
    public async Task The_rest_of_a_cut_body_is_not_read_to_save_the_connection()
    {
        await using var server = LoopbackServer.Answering(
            $"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{new string('x', 100_000)}"
        );

        await _client.SendAsync(Post(server.Url), Token);
        await _client.SendAsync(Post(server.Url), Token);

        Assert.Equal(2, server.ConnectionCount);
    }

    [Theory]
    [InlineData(300)]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(304)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_redirect_is_an_error_and_is_not_followed(int status)
    {
        await using var server = LoopbackServer.Answering(
            $"HTTP/1.1 {status} Away\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
        );

        var response = await _client.SendAsync(Post(server.Url), Token);

        Assert.Equal(status, response.Status);
        Assert.Equal(OutgoingErrors.RedirectNotFollowed, response.ErrorCode);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData(0, 100)]
    [InlineData(100, 100)]
    [InlineData(20_000, 19_999)]
    [InlineData(20_000, 20_000)]
    [InlineData(20_000, 20_001)]
    [InlineData(OutgoingRequest.MostBodyBytes, OutgoingRequest.MostBodyBytes)]
    [InlineData(OutgoingRequest.MostBodyBytes, OutgoingRequest.MostBodyBytes + 1)]
    public async Task As_much_of_the_body_is_kept_as_the_request_says(int most, int sent)
    {
        var body = new string('x', sent);
        await using var server = LoopbackServer.Answering($"HTTP/1.1 200 OK\r\nContent-Length: {sent}\r\n\r\n{body}");

        var response = await _client.SendAsync(Post(server.Url) with { MaxBodyBytes = most }, Token);

        Assert.Equal(Math.Min(most, sent), response.Body.Length);
        Assert.Equal(sent > most, response.BodyTruncated);
    }

    [Fact]
    public void No_request_keeps_more_than_a_mebibyte() =>
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            Post("https://a.example/") with
            {
                MaxBodyBytes = OutgoingRequest.MostBodyBytes + 1,
            }
        );

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nX-Long: {0}\r\n\r\n")]
    [InlineData("SSH-2.0-OpenSSH_9.9\r\n")]
    public async Task What_is_not_http_of_sixteen_kibibytes_of_headers_is_response_invalid(string format)
    {
        var text = format.Replace("{0}", new string('x', 64 * 1024), StringComparison.Ordinal);
        await using var server = LoopbackServer.Answering(text);

        var response = await _client.SendAsync(Post(server.Url), Token);

        Assert.Null(response.Status);
        Assert.Equal(OutgoingErrors.ResponseInvalid, response.ErrorCode);
    }

    [Fact]
    public async Task A_connection_closed_without_an_answer_is_connection_lost()
    {
        await using var server = new LoopbackServer(
            (socket, _) =>
            {
                socket.Dispose();
                return Task.CompletedTask;
            }
        );

        var response = await _client.SendAsync(Post(server.Url), Token);

        Assert.Null(response.Status);
        Assert.Equal(OutgoingErrors.ConnectionLost, response.ErrorCode);
    }

    [Fact]
    public async Task A_reset_inside_the_body_keeps_the_status()
    {
        await using var server = new LoopbackServer(
            async (socket, token) =>
            {
                await LoopbackServer.SendAsync(socket, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", token);
                // an abortive close: the peer gets RST
                socket.LingerState = new LingerOption(true, 0);
                await LoopbackServer.SendAsync(socket, "half", token);
                socket.Close();
            }
        );

        var response = await _client.SendAsync(Post(server.Url), Token);

        // The reset may overtake the headers on its way into the client's socket.
        Assert.Equal(
            response.Status is null ? OutgoingErrors.ConnectionLost : OutgoingErrors.BodyReadFailed,
            response.ErrorCode
        );
    }

    [Fact]
    public async Task A_body_that_ends_early_keeps_the_status_and_what_arrived()
    {
        await using var server = new LoopbackServer(
            async (socket, token) =>
            {
                await LoopbackServer.SendAsync(socket, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", token);
                socket.Close();
            }
        );

        var response = await _client.SendAsync(Post(server.Url), Token);

        Assert.Equal(200, response.Status);
        Assert.Equal(OutgoingErrors.BodyReadFailed, response.ErrorCode);
        Assert.Equal("half"u8, response.Body);
    }

    [Fact]
    public async Task A_gzip_bomb_stays_what_it_is()
    {
        using var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            await gzip.WriteAsync(new byte[10_000_000], Token);
        }

        var bomb = packed.ToArray();
        await using var server = LoopbackServer.Answering(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                + $"Content-Length: {bomb.Length}\r\n\r\n{Encoding.Latin1.GetString(bomb)}"
        );

        var response = await _client.SendAsync(Post(server.Url), Token);

        Assert.True(response.BodyTruncated);
        Assert.Equal(bomb[..DefaultBodyBytes], response.Body);
        Assert.DoesNotContain("Accept-Encoding", server.Requests.Single(), StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData(100, 204, null)]
    [InlineData(10_000, null, OutgoingErrors.ResponseInvalid)]
    public async Task Interim_answers_are_passed_over_until_they_fill_the_limit_of_headers(
        int count,
        int? status,
        string? code
    )
    {
        var interim = string.Concat(Enumerable.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", count));
        await using var server = LoopbackServer.Answering(interim + Empty);

        var response = await _client.SendAsync(Post(server.Url), Token);

        Assert.Equal(status, response.Status);
        Assert.Equal(code, response.ErrorCode);
    }

    [Theory]
    [InlineData("120", 120)]
    [InlineData("0", 0)]
    [InlineData("Thu, 01 Jan 2026 00:01:30 GMT", 90)]
    [InlineData("Wed, 31 Dec 2025 23:00:00 GMT", 0)]
    [InlineData("soon", null)]
    [InlineData("-5", null)]
    public async Task Retry_after_is_told_in_seconds(string header, int? seconds)
    {
        await using var server = LoopbackServer.Answering(
            $"HTTP/1.1 503 Busy\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n"
        );
        var clock = new FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        using var client = new OutgoingClient(Policy, clock);

        var response = await client.SendAsync(Post(server.Url), Token);

        Assert.Equal(503, response.Status);
        Assert.Equal(seconds, response.RetryAfterSeconds);
    }

    private static OutgoingRequest Post(string url) => new(HttpMethod.Post, url) { Body = "{}"u8.ToArray() };
}
