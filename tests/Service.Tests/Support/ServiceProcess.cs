using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>The real binary as a process of its own, to be killed, stopped and started again on the same state.</summary>
public sealed class ServiceProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private readonly Dictionary<string, string> _environment;
    private readonly ConcurrentQueue<string> _output = new();
    private Process? _process;

    public ServiceProcess(
        string stateDirectory,
        string connectionString,
        IReadOnlyDictionary<string, string>? more = null
    )
    {
        (StateDirectory, Port, InternalPort) = (stateDirectory, FreePort(), FreePort());
        _environment = new Dictionary<string, string>
        {
            ["Bellhop__StateDirectory"] = stateDirectory,
            ["Bellhop__Listen"] = $"127.0.0.1:{Port}",
            ["Bellhop__InternalListen"] = $"127.0.0.1:{InternalPort}",
            ["Bellhop__Outgoing__AllowNetworks__0"] = "127.0.0.0/8",
            ["ConnectionStrings__Bellhop"] = connectionString,
        };
        foreach (var (name, value) in more ?? new Dictionary<string, string>())
        {
            _environment[name] = value;
        }
    }

    /// <summary>Whether its output is read; if not, one full pipe holds all of it.</summary>
    public bool IsHeard { get; init; } = true;

    public string StateDirectory { get; }

    public int Port { get; }

    public int InternalPort { get; }

    public int Id => _process?.Id ?? throw new InvalidOperationException("It was not started.");

    public bool HasExited => _process?.HasExited ?? true;

    public string Output => string.Join('\n', _output);

    public Uri Address => new($"http://127.0.0.1:{Port}");

    /// <summary>A port nobody listens on right now.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Starts the binary with words such as <c>serve</c>; does not wait.</summary>
    public void Start(params string[] words)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = StateDirectory,
        };
        if (!IsHeard)
        {
            start.FileName = "sh";
            start.ArgumentList.Add("-c");
            start.ArgumentList.Add("exec dotnet \"$0\" \"$@\" 1>&2");
        }

        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "bellhop.dll"));
        foreach (var word in words)
        {
            start.ArgumentList.Add(word);
        }

        foreach (var (name, value) in _environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        if (!IsHeard)
        {
            return;
        }

        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Starts <c>serve</c> and waits until it is ready.</summary>
    public async Task ServeAsync()
    {
        Start("serve");
        await BecomeReadyAsync();
    }

    public async Task BecomeReadyAsync()
    {
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{InternalPort}") };
        var watch = Stopwatch.StartNew();
        while (true)
        {
            Assert.False(HasExited, $"The service ended by itself:\n{Output}");
            Assert.True(watch.Elapsed < StartPatience, $"The service did not become ready:\n{Output}");
            try
            {
                using var answer = await client.GetAsync("/health/ready");
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // nobody listens yet
            }

            await Task.Delay(25);
        }
    }

    /// <summary>A client with the key that the first start made.</summary>
    public HttpClient NewClient()
    {
        var key = File.ReadAllText(Path.Combine(StateDirectory, "first-key")).Trim();
        var client = new HttpClient { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(15) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Waits for the end and answers the exit code.</summary>
    public async Task<int> ExitAsync()
    {
        await _process!.WaitForExitAsync().WaitAsync(StartPatience);
        return _process.ExitCode;
    }

    /// <summary>Sends SIGTERM and waits for the end.</summary>
    public async Task<int> StopAsync()
    {
        using var kill = Process.Start("kill", ["-TERM", Id.ToString(null, null)]);
        await kill.WaitForExitAsync();
        return await ExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!HasExited)
        {
            await KillAsync();
        }

        _process?.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        _output.Enqueue(line);
        while (_output.Count > 200)
        {
            _output.TryDequeue(out _);
        }
    }
}
