using System.Net;
using System.Net.Sockets;
using Bellhop.Infrastructure.Outgoing;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Outgoing;

/// <summary>Names here resolve to what the test says; only loopback is ever connected to.</summary>
public sealed class DialerTests
{
    private static readonly IPAddress Public = IPAddress.Parse("1.1.1.1");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_name_that_leads_elsewhere_the_second_time_is_not_asked_a_second_time()
    {
        var answers = new Queue<IPAddress>([Public, IPAddress.Loopback]);
        var dialer = NewDialer([], _ => [answers.Dequeue()]);

        var (host, error) = await dialer.CheckAsync(Protocol.PostgreSql, "rebound.example", 5432, Token);

        Assert.Null(error);
        Assert.Equal([Public], host!.Addresses);
        Assert.Equal(("rebound.example", 5432, false), (host.Name, host.Port, host.AllowsPlainText));
        Assert.Single(answers);
    }

    [Fact]
    public async Task Each_new_connection_is_checked_anew_however_the_name_resolved_before()
    {
        await using var server = LoopbackServer.Answering("HTTP/1.1 204 No Content\r\n\r\n");
        var answers = new Queue<string>(["127.0.0.1", "127.0.1.1"]);
        var policy = new AddressPolicy([IPNetwork.Parse("127.0.0.0/24")]);
        var dialer = new Dialer(
            policy,
            TimeProvider.System,
            (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse(answers.Dequeue())])
        );
        using var client = new OutgoingClient(policy, dialer, TimeProvider.System);
        var request = new OutgoingRequest(HttpMethod.Get, $"http://rebound.example:{server.Port}/");
        var closing = request with { Headers = [] };

        var first = await client.SendAsync(closing, Token);
        using var another = new OutgoingClient(policy, dialer, TimeProvider.System);
        var second = await another.SendAsync(request, Token);

        Assert.Equal((204, OutgoingErrors.AddressNotAllowed), (first.Status, second.ErrorCode));
        Assert.Equal(1, server.ConnectionCount);
    }

    [Theory]
    [InlineData("1.1.1.1", "10.0.0.1")]
    [InlineData("1.1.1.1", "::ffff:169.254.169.254")]
    [InlineData("2606:4700::1111", "fd00:ec2::254")]
    public async Task One_private_address_of_a_name_refuses_it(params string[] addresses)
    {
        var dialer = NewDialer([], _ => [.. addresses.Select(IPAddress.Parse)]);

        var check = await dialer.CheckAsync(Protocol.MySql, "mixed.example", 3306, Token);

        Assert.Equal(new HostCheck(null, OutgoingErrors.AddressNotAllowed), check);
    }

    [Theory]
    [MemberData(nameof(Corpus.Hosts), MemberType = typeof(Corpus))]
    public async Task A_host_that_leads_inside_is_refused_when_it_is_connected_to(string host, string code)
    {
        var check = await NewDialer([], Resolve).CheckAsync(Protocol.PostgreSql, host, 5432, Token);

        Assert.Null(check.Host);
        Assert.True(
            check.ErrorCode == OutgoingErrors.AddressNotAllowed || code == OutgoingErrors.HostInvalid,
            $"{host}: {check.ErrorCode}"
        );

        static IPAddress[] Resolve(string name) =>
            name.Contains("localhost", StringComparison.OrdinalIgnoreCase) || name == "127.0.0.1."
                ? [IPAddress.Loopback]
                : throw new SocketException((int)SocketError.HostNotFound);
    }

    [Fact]
    public async Task The_answer_does_not_tell_an_open_port_from_a_closed_one()
    {
        await using var server = LoopbackServer.Answering("");
        var dialer = NewDialer([], _ => [IPAddress.Loopback]);

        var open = await dialer.CheckAsync(Protocol.PostgreSql, "inside.example", server.Port, Token);
        var closed = await dialer.CheckAsync(Protocol.PostgreSql, "inside.example", 1, Token);

        Assert.Equal(open, closed);
        Assert.Equal(0, server.ConnectionCount);
    }

    [Fact]
    public async Task The_services_own_database_is_refused_under_any_name_that_leads_to_it()
    {
        var clock = new FakeTimeProvider();
        var (lookUps, isAway) = (0, false);
        var dialer = NewDialer(["db.internal.example", "2606:4700::5"], Resolve, clock);

        Assert.Equal(OutgoingErrors.AddressNotAllowed, await CheckAsync("alias.example"));
        Assert.Equal(OutgoingErrors.AddressNotAllowed, await CheckAsync("2606:4700::5"));
        Assert.Null(await CheckAsync("1.1.1.2"));
        Assert.Equal(1, lookUps);
        isAway = true;
        clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(OutgoingErrors.AddressNotAllowed, await CheckAsync("alias.example"));
        Assert.Equal(2, lookUps);

        async Task<string?> CheckAsync(string host) =>
            (await dialer.CheckAsync(Protocol.PostgreSql, host, 5432, Token)).ErrorCode;

        IPAddress[] Resolve(string name)
        {
            if (name != "db.internal.example")
            {
                return [Public];
            }

            lookUps++;
            return isAway ? throw new SocketException((int)SocketError.TryAgain) : [Public];
        }
    }

    [Fact]
    public async Task A_checked_host_gives_a_socket_connected_to_the_checked_address()
    {
        await using var server = LoopbackServer.Answering("");
        var policy = new AddressPolicy([IPNetwork.Parse("127.0.0.0/8")]);
        var dialer = new Dialer(policy, TimeProvider.System);
        var host = new CheckedHost("db.example", server.Port, [IPAddress.Loopback], true);

        var dialed = await dialer.ConnectAsync(host, Token);
        var failed = await dialer.ConnectAsync(host with { Port = 1 }, Token);

        using var socket = dialed.Socket;
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, server.Port), socket!.RemoteEndPoint);
        Assert.Equal(new Dialed(null, OutgoingErrors.ConnectFailed), failed);
    }

    private static Dialer NewDialer(
        IReadOnlyList<string> own,
        Func<string, IPAddress[]> resolve,
        TimeProvider? clock = null
    ) =>
        new(
            new AddressPolicy([], own),
            clock ?? TimeProvider.System,
            (name, _) =>
            {
                try
                {
                    return Task.FromResult(resolve(name));
                }
                catch (SocketException exception)
                {
                    return Task.FromException<IPAddress[]>(exception);
                }
            }
        );
}
