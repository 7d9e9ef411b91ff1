using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Bellhop.Infrastructure.Outgoing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Outgoing;

/// <summary>Every server here is one of the test's own on 127.0.0.1; nothing is sent anywhere else.</summary>
public sealed class OutgoingClientTests : IDisposable
{
    private const string Empty = "HTTP/1.1 204 No Content\r\n\r\n";

    private static readonly IPNetwork[] LoopbackNetworks = [IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("::1/128")];

    private readonly OutgoingClient _client = new(new AddressPolicy(LoopbackNetworks), TimeProvider.System);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task The_request_arrives_as_it_was_given_and_the_answer_comes_back()
    {
        await using var server = LoopbackServer.Answering(
            "HTTP/1.1 202 Accepted\r\nX-Id: 7\r\nX-Id: 8\r\nContent-Length: 2\r\n\r\nok"
        );

        var response = await _client.SendAsync(
            Post(server.Url, ("webhook-id", "msg_1"), ("Content-Type", "application/json")),
            Token
        );

        Assert.Equal(202, response.Status);
        Assert.Null(response.ErrorCode);
        Assert.True(response.IsSuccessStatus);
        Assert.Equal("7, 8", response.Headers["x-id"]);
        Assert.Equal("ok"u8, response.Body);
        Assert.False(response.BodyTruncated);
        Assert.True(response.Duration > TimeSpan.Zero);
        var request = Assert.Single(server.Requests);
        Assert.StartsWith("POST /hook HTTP/1.1\r\n", request, StringComparison.Ordinal);
        Assert.Contains("webhook-id: msg_1\r\n", request, StringComparison.Ordinal);
        Assert.Contains("Content-Type: application/json\r\n", request, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n{}", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_whole_answer_leaves_the_connection_for_the_next_request()
    {
        await using var server = LoopbackServer.Answering(Empty);

        await _client.SendAsync(Post(server.Url), Token);
        await _client.SendAsync(Post(server.Url), Token);

        Assert.Equal(2, server.Requests.Count);
        Assert.Equal(1, server.ConnectionCount);
    }

    [Fact]
    public async Task Without_an_allowed_network_loopback_is_refused_and_sees_no_connection()
    {
        await using var server = LoopbackServer.Answering(Empty);
        using var client = new OutgoingClient(new AddressPolicy([]), TimeProvider.System);

        var open = await client.SendAsync(Post(server.Url), Token);
        var closed = await client.SendAsync(Post("http://127.0.0.1:1/hook"), Token);

        Assert.Equal(OutgoingErrors.AddressNotAllowed, open.ErrorCode);
        Assert.Equal(OutgoingErrors.AddressNotAllowed, closed.ErrorCode);
        Assert.Equal(0, server.ConnectionCount);
    }

    [Fact]
    public async Task The_next_address_is_tried_when_one_is_dead()
    {
        await using var server = LoopbackServer.Answering(Empty);
        var dialer = new Dialer(new AddressPolicy(LoopbackNetworks), TimeProvider.System);
        // The server listens on 127.0.0.1 only.
        IPAddress[] addresses = [IPAddress.Parse("127.0.0.2"), IPAddress.Loopback];

        await using var stream = await dialer.ConnectAnyAsync(addresses, server.Port, Token);

        Assert.True(stream.CanWrite);
    }

    [Fact]
    public async Task A_port_where_nothing_listens_is_connect_failed()
    {
        var port = FreePort();

        var response = await _client.SendAsync(Post($"http://127.0.0.1:{port}/"), Token);

        Assert.Null(response.Status);
        Assert.Equal(OutgoingErrors.ConnectFailed, response.ErrorCode);
    }

    [Fact]
    public async Task A_server_that_does_not_speak_tls_is_tls_failed()
    {
        using var answered = new TcpListener(IPAddress.Loopback, 0);
        answered.Start();
        var accepted = AnswerInPlainTextAsync(answered);

        var response = await _client.SendAsync(
            Post($"https://127.0.0.1:{((IPEndPoint)answered.LocalEndpoint).Port}/"),
            Token
        );
        await accepted;

        Assert.Equal(OutgoingErrors.TlsFailed, response.ErrorCode);
    }

    [Fact]
    public async Task The_deadline_covers_a_body_that_drips()
    {
        await using var server = new LoopbackServer(
            async (socket, token) =>
            {
                await LoopbackServer.SendAsync(socket, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", token);
                using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
                while (await timer.WaitForNextTickAsync(token))
                {
                    await LoopbackServer.SendAsync(socket, "x", token);
                }
            }
        );

        var response = await _client.SendAsync(
            Post(server.Url) with
            {
                Timeout = TimeSpan.FromMilliseconds(700),
            },
            Token
        );

        Assert.Equal(200, response.Status);
        Assert.Equal(OutgoingErrors.Timeout, response.ErrorCode);
        Assert.NotEmpty(response.Body);
        Assert.False(response.BodyTruncated);
        Assert.InRange(response.Duration, TimeSpan.FromMilliseconds(600), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task The_deadline_is_fifteen_seconds_of_the_given_clock()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = new LoopbackServer(
            (_, token) =>
            {
                asked.SetResult();
                return Task.Delay(Timeout.Infinite, token);
            }
        );
        var clock = new FakeTimeProvider();
        using var client = new OutgoingClient(new AddressPolicy(LoopbackNetworks), clock);

        var sending = client.SendAsync(Post(server.Url), Token);
        await asked.Task.WaitAsync(TimeSpan.FromSeconds(10), Token);
        clock.Advance(TimeSpan.FromSeconds(14.9));
        Assert.False(sending.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(0.1));
        var response = await sending;

        Assert.Null(response.Status);
        Assert.Equal(OutgoingErrors.Timeout, response.ErrorCode);
        Assert.Equal(TimeSpan.FromSeconds(15), response.Duration);
    }

    [Fact]
    public async Task Only_the_callers_own_token_throws()
    {
        using var caller = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var server = new LoopbackServer(
            async (_, token) =>
            {
                await caller.CancelAsync();
                await Task.Delay(Timeout.Infinite, token);
            }
        );

        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            _client.SendAsync(Post(server.Url), caller.Token)
        );
        Assert.Equal(caller.Token, error.CancellationToken);
    }

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
        Assert.Equal(OutgoingClient.MaxBodyBytes, response.Body.Length);
        await closed.Task.WaitAsync(TimeSpan.FromSeconds(10), Token);
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
        Assert.Equal(bomb[..OutgoingClient.MaxBodyBytes], response.Body);
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
    [InlineData("X-Test", "a\r\nX-Evil: 1", OutgoingErrors.HeaderValueInvalid)]
    [InlineData("X-Test", "a\nb", OutgoingErrors.HeaderValueInvalid)]
    [InlineData("X-Test", "a\0b", OutgoingErrors.HeaderValueInvalid)]
    [InlineData("X-Test", "ä", OutgoingErrors.HeaderValueInvalid)]
    [InlineData("X Test", "a", OutgoingErrors.HeaderNameInvalid)]
    [InlineData("X-Test:", "a", OutgoingErrors.HeaderNameInvalid)]
    [InlineData("", "a", OutgoingErrors.HeaderNameInvalid)]
    [InlineData("Host", "internal", OutgoingErrors.HeaderNotAllowed)]
    [InlineData("transfer-encoding", "chunked", OutgoingErrors.HeaderNotAllowed)]
    public async Task A_header_that_is_not_one_is_refused_before_anything_is_sent(
        string name,
        string value,
        string code
    )
    {
        await using var server = LoopbackServer.Answering(Empty);

        var response = await _client.SendAsync(Post(server.Url, (name, value)), Token);

        Assert.Equal(code, response.ErrorCode);
        Assert.Equal(0, server.ConnectionCount);
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
        using var client = new OutgoingClient(new AddressPolicy(LoopbackNetworks), clock);

        var response = await client.SendAsync(Post(server.Url), Token);

        Assert.Equal(503, response.Status);
        Assert.Equal(seconds, response.RetryAfterSeconds);
    }

    [Fact]
    public async Task The_trace_is_passed_on_only_when_asked()
    {
        await using var server = LoopbackServer.Answering(Empty);
        using var activity = new Activity("test").AddBaggage("tenant", "secret").Start();

        await _client.SendAsync(Post(server.Url), Token);
        await _client.SendAsync(Post(server.Url) with { PropagateTrace = true }, Token);

        var requests = server.Requests.ToArray();
        Assert.DoesNotContain("traceparent", requests[0], StringComparison.OrdinalIgnoreCase);
        Assert.Contains($"traceparent: 00-{activity.TraceId}-", requests[1], StringComparison.Ordinal);
        Assert.DoesNotContain("secret", string.Concat(requests), StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_of_requests_and_responses_hold_no_secret()
    {
        var request = Post("https://hooks.example/services/SECRET?key=SECRET", ("Authorization", "SECRET"));
        var response = new OutgoingResponse { Status = 200, Body = "SECRET"u8.ToArray() };

        Assert.Equal("POST hooks.example", request.ToString());
        Assert.Equal("200", response.ToString());
    }

    [Fact]
    public async Task The_registered_client_obeys_the_bound_options()
    {
        await using var server = LoopbackServer.Answering(Empty);
        await using var closed = new ServiceCollection().AddOutgoing().BuildServiceProvider();
        await using var open = new ServiceCollection()
            .AddOutgoing()
            .AddSingleton(
                Microsoft.Extensions.Options.Options.Create(new OutgoingOptions { AllowNetworks = ["127.0.0.0/8"] })
            )
            .BuildServiceProvider();

        var refused = await closed.GetRequiredService<OutgoingClient>().SendAsync(Post(server.Url), Token);
        var sent = await open.GetRequiredService<OutgoingClient>().SendAsync(Post(server.Url), Token);

        Assert.Equal(OutgoingErrors.AddressNotAllowed, refused.ErrorCode);
        Assert.Equal(204, sent.Status);
    }

    private static OutgoingRequest Post(string url, params (string Name, string Value)[] headers) =>
        new(HttpMethod.Post, url)
        {
            Headers = [.. headers.Select(header => KeyValuePair.Create(header.Name, header.Value))],
            Body = "{}"u8.ToArray(),
        };

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task AnswerInPlainTextAsync(TcpListener listener)
    {
        using var socket = await listener.AcceptSocketAsync(Token);
        await LoopbackServer.SendAsync(socket, "HTTP/1.1 400 Bad Request\r\n\r\n", Token);
    }
}
