using System.Diagnostics;
using System.Net;
using Bellhop.Infrastructure.Outgoing;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Outgoing;

/// <summary>
/// Runs itself again in a network namespace of its own, which has no route to anywhere, so that a mistake in the
/// policy cannot reach a real address and every packet that was sent can be counted.
/// </summary>
public sealed class NoWayOutTests
{
    private const string Inside = "BELLHOP_TEST_IN_NAMESPACE";

    // What the names below resolve to in the namespace; 1.1.1.1 cannot be reached from there.
    private const string Hosts = """
        127.0.0.1 localhost
        1.1.1.1 mixed.example
        10.0.0.1 mixed.example
        127.0.0.1 rebound.example
        169.254.169.254 metadata.example
        fd00:ec2::254 metadata6.example

        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_that_leads_inside_gets_a_packet()
    {
        if (Environment.GetEnvironmentVariable(Inside) is not null)
        {
            await SendEverythingAsync();
            return;
        }

        var hosts = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(hosts, Hosts, Token);
            var (possible, why) = await RunAsync(hosts, "true");
            Assert.SkipUnless(possible == 0, $"needs root, unshare, ip and mount: {why}");

            var method = $"{typeof(NoWayOutTests).FullName}.{nameof(Nothing_that_leads_inside_gets_a_packet)}";
            // The test project is a program, whoever has loaded its assembly this time.
            var program = Path.ChangeExtension(typeof(NoWayOutTests).Assembly.Location, null);
            var (exitCode, output) = await RunAsync(hosts, program, "-method", method);

            Assert.True(exitCode == 0, output);
            Assert.Contains("Total: 1,", output, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(hosts);
        }
    }

    private static async Task SendEverythingAsync()
    {
        using var client = new OutgoingClient(new AddressPolicy([]), TimeProvider.System);
        string[] names = ["mixed", "rebound", "metadata", "metadata6"];

        foreach (var (url, code) in Corpus.Rows().Select(row => row.Data))
        {
            var response = await client.SendAsync(new OutgoingRequest(HttpMethod.Get, url), Token);
            Assert.Equal((url, code), (url, response.ErrorCode));
        }

        foreach (var name in names)
        {
            var response = await client.SendAsync(
                new OutgoingRequest(HttpMethod.Get, $"https://{name}.example/"),
                Token
            );
            Assert.Equal((name, OutgoingErrors.AddressNotAllowed), (name, response.ErrorCode));
        }

        var dialer = new Dialer(new AddressPolicy([]), TimeProvider.System);
        foreach (var protocol in (Protocol[])[Protocol.PostgreSql, Protocol.MySql, Protocol.Smtp])
        {
            var hosts = Corpus.Hosts().Select(row => row.Data.Item1).Concat(names.Select(name => $"{name}.example"));
            foreach (var host in hosts)
            {
                var check = await dialer.CheckAsync(protocol, host, protocol.Ports[0], Token);
                Assert.Equal((host, null), (host, check.Host));
            }
        }

        Assert.Equal(0, PacketsSent());
        await FollowNothingAsync();
    }

    /// <summary>A permitted server may point inside as it likes: the packets on loopback are those of its own connections.</summary>
    private static async Task FollowNothingAsync()
    {
        var policy = new AddressPolicy([IPNetwork.Parse("127.0.0.0/8")]);
        using var client = new OutgoingClient(policy, TimeProvider.System);
        foreach (var (target, status) in Corpus.Rows().Select(row => row.Data.Item1).Zip(Statuses()))
        {
            var head = $"HTTP/1.1 {status} Over There\r\nLocation: {target.ReplaceLineEndings("")}\r\n";
            await using var server = LoopbackServer.Answering($"{head}Content-Length: 0\r\n\r\n");

            var response = await client.SendAsync(new OutgoingRequest(HttpMethod.Get, server.Url), Token);

            Assert.Equal(
                (target, OutgoingErrors.RedirectNotFollowed, 1),
                (target, response.ErrorCode, server.ConnectionCount)
            );
        }

        Assert.Equal(0, PacketsSent("lo"));
    }

    private static IEnumerable<int> Statuses()
    {
        while (true)
        {
            foreach (var status in (int[])[301, 302, 303, 307, 308])
            {
                yield return status;
            }
        }
    }

    // /proc/net/dev: two lines of heading, then per interface eight numbers received and eight sent.
    private static long PacketsSent(string? exceptOn = null) =>
        File.ReadLines("/proc/net/dev")
            .Skip(2)
            .Where(line => line.Split(':')[0].Trim() != exceptOn)
            .Select(line => line.Split(':')[1].Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Sum(fields => long.Parse(fields[9], null));

    private static async Task<(int ExitCode, string Output)> RunAsync(
        string hosts,
        string program,
        params string[] arguments
    )
    {
        const string script = "ip link set lo up && mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        var start = new ProcessStartInfo("unshare")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { [Inside] = "yes" },
        };
        foreach (var argument in (string[])["--net", "--mount", "sh", "-c", script, hosts, program, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        try
        {
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync(Token);
            var error = process.StandardError.ReadToEndAsync(Token);
            await process.WaitForExitAsync(Token);
            return (process.ExitCode, await output + await error);
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            return (-1, exception.Message);
        }
    }
}
