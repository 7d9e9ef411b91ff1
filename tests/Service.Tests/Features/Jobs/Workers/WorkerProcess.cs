using System.Collections.Concurrent;
using System.Diagnostics;
using Bellhop.Tests.Support;

namespace Bellhop.Tests.Features.Jobs.Workers;

/// <summary>A worker as users run it: one of the scripts, or <c>bellhop worker exec</c>.</summary>
/// <remarks>It ends with the test, and so does what it started.</remarks>
internal sealed class WorkerProcess : IAsyncDisposable
{
    public const string Exec = "bellhop worker exec";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();

    private WorkerProcess(Process process) => _process = process;

    public static string Folder { get; } = Path.Combine(Checkout.Root, "deploy", "workers");

    public string Output => string.Join('\n', _output);

    public bool HasExited => _process.HasExited;

    public string CommandLine => File.ReadAllText($"/proc/{_process.Id}/cmdline");

    /// <param name="program">A file, or <see cref="Exec"/>.</param>
    /// <param name="environment">Of it and its handlers, beside what says where the service is.</param>
    public static WorkerProcess Start(
        string program,
        Uri url,
        string key,
        string queue,
        string[] command,
        IReadOnlyDictionary<string, string>? environment = null,
        int slots = 1
    )
    {
        string[] words =
            program == Exec
                ?
                [
                    "dotnet",
                    Path.Combine(AppContext.BaseDirectory, "bellhop.dll"),
                    "worker",
                    "exec",
                    "--queue",
                    queue,
                    "--slots",
                    $"{slots}",
                    "--",
                    .. command,
                ]
                : [Path.Combine(Folder, program), queue, .. command];
        var start = new ProcessStartInfo(words[0], words[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["BELLHOP_URL"] = url.AbsoluteUri;
        start.Environment["BELLHOP_KEY"] = key;
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        var worker = new WorkerProcess(process);
        process.OutputDataReceived += (_, line) => worker._output.Enqueue(line.Data ?? "");
        process.ErrorDataReceived += (_, line) => worker._output.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return worker;
    }

    /// <param name="signal">Such as <c>STOP</c>.</param>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Its own end: what it left behind may go on, and holds its output open.</summary>
    public async Task<int> ExitAsync()
    {
        await Eventually.BeTrueAsync(() => Task.FromResult(_process.HasExited), "the worker has ended", Patience);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await SignalAsync("CONT");
            await SignalAsync("TERM"); // so that its handlers end with it
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            while (!_process.HasExited && !patience.IsCancellationRequested)
            {
                await Task.Delay(20, CancellationToken.None);
            }

            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
    }
}
