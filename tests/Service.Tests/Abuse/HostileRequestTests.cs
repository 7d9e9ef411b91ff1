using System.Net;
using System.Net.Sockets;
using System.Text;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Abuse;

/// <summary>R-49: one request has one answer, and what cannot be one request for sure has none but a refusal.</summary>
[Trait("Abuse", "R-49")]
public sealed class HostileRequestTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, int[], bool> Requests => HostileRequests.All;

    [Theory]
    [MemberData(nameof(Requests), DisableDiscoveryEnumeration = true)]
    public async Task R49_a_request_is_answered_once_or_refused(string name, string text, int[] statuses, bool goesOn)
    {
        var answer = await RawHttp.ProvokeAsync(service.Address, text);

        Assert.True(
            answer.Statuses.SequenceEqual(statuses) && answer.WentOn == goesOn,
            $"{name}: {string.Join(' ', answer.Statuses)}, {answer.WentOn}"
        );
    }

    [Fact]
    public async Task R49_a_thousand_requests_at_once_are_answered_in_their_order()
    {
        var text = string.Concat(
            Enumerable
                .Range(0, 1000)
                .Select(n =>
                    $"GET /v1/info HTTP/1.1\r\nHost: x\r\nX-Request-Id: n{n:d4}\r\n{(n == 999 ? "Connection: close\r\n" : "")}\r\n"
                )
        );

        var answer = await RawHttp.SendAsync(service.Address, text);

        var ids = answer.Split("X-Request-Id: ").Skip(1).Select(rest => rest[..5]);
        Assert.Equal(Enumerable.Range(0, 1000).Select(n => $"n{n:d4}"), ids);
    }

    [Theory]
    [InlineData("")]
    [InlineData("GET /v1/in")]
    [InlineData("GET /v1/info HTTP/1.1\r\nHost: x\r\nX-A: ")]
    [InlineData("POST /in/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")]
    [InlineData("POST /in/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab")]
    public async Task R49_clients_that_go_away_in_the_middle_leave_nothing_behind(string beginning)
    {
        var bytes = Encoding.ASCII.GetBytes(beginning);
        foreach (var _ in Enumerable.Range(0, 100))
        {
            using var client = new TcpClient { LingerState = new LingerOption(true, 0) }; // ends with a reset
            await using var stream = await RawHttp.OpenAsync(client, service.Address);
            await stream.WriteAsync(bytes, Token);
        }

        using var next = service.NewClient();
        using var answer = await next.GetAsync("/v1/info", Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }
}
