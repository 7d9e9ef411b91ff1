using System.Collections.Concurrent;
using System.Diagnostics;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>Another program that serves a test; it ends with the test, and with the test's process, however that ends.</summary>
internal sealed class ChildServer : IAsyncDisposable
{
    // the shell waits on a pipe that is closed when this process is gone
    private const string Attend = "\"$@\" & child=$!; cat >/dev/null; kill \"$child\" && wait \"$child\"";

    private readonly Process _shell;
    private readonly ConcurrentQueue<string> _said = new();

    private ChildServer(Process shell)
    {
        _shell = shell;
        shell.OutputDataReceived += (_, line) => _said.Enqueue(line.Data ?? "");
        shell.ErrorDataReceived += (_, line) => _said.Enqueue(line.Data ?? "");
        shell.BeginOutputReadLine();
        shell.BeginErrorReadLine();
    }

    /// <summary>The lines it wrote, to either output.</summary>
    public IReadOnlyList<string> Said => [.. _said];

    public static ChildServer Start(IReadOnlyDictionary<string, string> environment, params string[] command)
    {
        var start = new ProcessStartInfo("sh")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var word in (string[])["-c", Attend, "sh", .. command])
        {
            start.ArgumentList.Add(word);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new ChildServer(Process.Start(start)!);
    }

    /// <summary>What is unpacked by <c>./dev test</c>, or <c>./dev nightly</c>; a test that finds nothing is skipped, but fails in CI.</summary>
    public static string Require(string path)
    {
        var whole = Path.Combine(Checkout.State, "tools", path);
        Assert.SkipUnless(
            File.Exists(whole) || Environment.GetEnvironmentVariable("CI") == "true",
            $"{path} is not there; ./dev test or ./dev nightly fetches it"
        );
        Assert.True(File.Exists(whole), whole);
        return whole;
    }

    public async ValueTask DisposeAsync()
    {
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
    }
}
