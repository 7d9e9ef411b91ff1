using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>The Caddyfile of this repository in a real Caddy, on free ports of this machine, under the name localhost.</summary>
/// <remarks>It ends when a pipe does that the system closes with this process, however this process ends.</remarks>
public sealed class CaddyProcess : IAsyncDisposable
{
    private const string UntilThePipeEnds = """
        "$0" run --config "$1" --adapter caddyfile </dev/null &
        cat >/dev/null
        kill -TERM $!
        wait $!
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly string _state = Directory.CreateTempSubdirectory("bellhop-caddy-").FullName;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly Process _process;

    private CaddyProcess(string program, string upstream)
    {
        (Http, Https) = (
            new Uri($"http://localhost:{ServiceProcess.FreePort()}"),
            new Uri($"https://localhost:{ServiceProcess.FreePort()}")
        );
        var start = new ProcessStartInfo("sh", ["-c", UntilThePipeEnds, program, Caddyfile])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["BELLHOP_DOMAIN"] = "localhost";
        start.Environment["BELLHOP_HTTP_PORT"] = $"{Http.Port}";
        start.Environment["BELLHOP_HTTPS_PORT"] = $"{Https.Port}";
        start.Environment["BELLHOP_UPSTREAM"] = upstream;
        start.Environment["BELLHOP_CADDY_ADMIN"] = $"unix/{_state}/admin";
        start.Environment["XDG_DATA_HOME"] = start.Environment["XDG_CONFIG_HOME"] = _state;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        _process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public static string Caddyfile { get; } = Path.Combine(Checkout.Root, "Caddyfile");

    public Uri Http { get; }

    public Uri Https { get; }

    /// <summary>What it has written: its log is among it.</summary>
    public string Output => string.Join('\n', _output);

    /// <summary>Starts it in front of address:port, and waits until it answers. Skips the test where there is no Caddy, but not in CI.</summary>
    public static async Task<CaddyProcess> StartAsync(string upstream)
    {
        var program = Find();
        Assert.SkipWhen(
            program is null && Environment.GetEnvironmentVariable("CI") != "true",
            "Caddy is not installed; ./dev check fetches it"
        );
        var caddy = new CaddyProcess(program ?? "caddy", upstream);
        using var client = caddy.NewClient();
        await Eventually.BeTrueAsync(() => caddy.AnswersAsync(client), "Caddy answers", Patience);
        return caddy;
    }

    /// <summary>A client that follows no redirect.</summary>
    public HttpClient NewClient(Version? version = null) =>
        new(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                SslOptions = new() { RemoteCertificateValidationCallback = TakesCertificate },
            }
        )
        {
            BaseAddress = Https,
            DefaultRequestVersion = version ?? HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync().WaitAsync(Patience);
        _process.Dispose();
        Directory.Delete(_state, recursive: true);
    }

    /// <summary>The name must be right; the authority is one that Caddy has made for itself.</summary>
    internal static bool TakesCertificate(
        object of,
        X509Certificate? certificate,
        X509Chain? chain,
        SslPolicyErrors errors
    ) => (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) == SslPolicyErrors.None;

    private static string? Find() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(':')
            .Append(Path.Combine(Checkout.State, "tools", "bin"))
            .Select(directory => Path.Combine(directory, "caddy"))
            .FirstOrDefault(File.Exists);

    private async Task<bool> AnswersAsync(HttpClient client)
    {
        try
        {
            using var answer = await client.GetAsync("/", TestContext.Current.CancellationToken);
            return answer.StatusCode == HttpStatusCode.NotFound;
        }
        catch (HttpRequestException)
        {
            Assert.False(_process.HasExited, Output);
            return false; // the certificate is made after the ports are taken
        }
    }
}
