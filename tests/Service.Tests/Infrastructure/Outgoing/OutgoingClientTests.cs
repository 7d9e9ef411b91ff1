using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
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
    public async Task The_phases_of_a_request_are_told_and_those_of_a_connection_only_where_it_was_made()
    {
        await using var server = LoopbackServer.Answering(Empty);

        var first = (await _client.SendAsync(Post(server.Url), Token)).Phases;
        var second = (await _client.SendAsync(Post(server.Url), Token)).Phases;
        var refused = (await _client.SendAsync(Post("http://10.0.0.1/"), Token)).Phases;

        Assert.True(first.DnsSeconds >= 0 && first.ConnectSeconds > 0 && first.FirstByteSeconds > 0);
        Assert.Null(first.TlsSeconds);
        Assert.InRange(
            first.TotalSeconds,
            first.DnsSeconds.Value + first.ConnectSeconds.Value + first.FirstByteSeconds.Value,
            10
        );
        Assert.Equal((null, null, null), (second.DnsSeconds, second.ConnectSeconds, second.TlsSeconds));
        Assert.True(second.FirstByteSeconds > 0 && second.TotalSeconds >= second.FirstByteSeconds);
        Assert.Equal(refused with { TotalSeconds = 0 }, new OutgoingPhases(null, null, null, null, 0));
    }

    [Fact]
    public async Task A_library_is_held_to_the_same_policy()
    {
        await using var server = LoopbackServer.Answering(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        );
        using var open = _client.ForLibrary(TimeSpan.FromSeconds(10));
        using var strict = new OutgoingClient(new AddressPolicy([]), TimeProvider.System);
        using var closed = strict.ForLibrary(TimeSpan.FromSeconds(10));

        using var answer = await open.GetAsync(server.Url, Token);
        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => closed.GetAsync(server.Url, Token));

        Assert.Equal(HttpStatusCode.Found, answer.StatusCode);
        Assert.Equal(OutgoingErrors.AddressNotAllowed, OutgoingErrors.Of(refused));
        Assert.Single(server.Requests);
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

        using var socket = await dialer.ConnectAnyAsync(addresses, server.Port, Token);

        Assert.True(socket.Connected);
    }

    [Fact]
    public async Task A_connection_that_takes_too_long_is_connect_timeout()
    {
        var dialer = new Dialer(new AddressPolicy(LoopbackNetworks), TimeProvider.System);
        using var over = new CancellationTokenSource();
        await over.CancelAsync();

        var error = await Assert.ThrowsAsync<DialException>(() =>
            dialer.ConnectAnyAsync([IPAddress.Loopback], FreePort(), over.Token)
        );

        Assert.Equal(OutgoingErrors.ConnectTimeout, error.Code);
    }

    [Fact]
    public async Task A_port_where_nothing_listens_is_connect_failed()
    {
        var port = FreePort();

        var response = await _client.SendAsync(Post($"http://127.0.0.1:{port}/"), Token);

        Assert.Null(response.Status);
        Assert.Equal(OutgoingErrors.ConnectFailed, response.ErrorCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_handshake_that_fails_is_tls_failed(bool speaksTls)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var served = speaksTls ? GreetWithUntrustedCertificateAsync(listener) : GreetInPlainTextAsync(listener);

        var response = await _client.SendAsync(
            Post($"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/"),
            Token
        );
        await served;

        Assert.Null(response.Status);
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
                Timeout = TimeSpan.FromSeconds(2), // long enough to get to the body on a busy machine
            },
            Token
        );

        Assert.Equal(200, response.Status);
        Assert.Equal(OutgoingErrors.Timeout, response.ErrorCode);
        Assert.NotEmpty(response.Body);
        Assert.False(response.BodyTruncated);
        Assert.InRange(response.Duration, TimeSpan.FromSeconds(1.9), TimeSpan.FromSeconds(10));
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
    public async Task The_registered_client_obeys_the_given_networks()
    {
        await using var server = LoopbackServer.Answering(Empty);
        await using var closed = new ServiceCollection().AddOutgoing([], []).BuildServiceProvider();
        await using var open = new ServiceCollection().AddOutgoing(LoopbackNetworks, []).BuildServiceProvider();

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

    private static async Task GreetInPlainTextAsync(TcpListener listener)
    {
        using var socket = await listener.AcceptSocketAsync(Token);
        await LoopbackServer.SendAsync(socket, "HTTP/1.1 400 Bad Request\r\n\r\n", Token);
    }

    private static async Task GreetWithUntrustedCertificateAsync(TcpListener listener)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        using var socket = await listener.AcceptSocketAsync(Token);
        await using var stream = new SslStream(new NetworkStream(socket));
        try
        {
            await stream.AuthenticateAsServerAsync(certificate);
            Assert.Equal(0, await stream.ReadAsync(new byte[1], Token));
        }
        catch (Exception exception) when (exception is IOException or AuthenticationException)
        {
            // the client refused the certificate, which is what it is here for
        }
    }
}
