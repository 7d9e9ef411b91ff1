using System.Diagnostics;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>A program of <c>tests/e2e</c>, or Node with their packages at hand.</summary>
public static class NpmProgram
{
    private static string Packages => Path.Combine(Checkout.State, "tools", "npm", "node_modules");

    /// <summary>Runs it to its end. The test is skipped where <c>./dev check</c> has not fetched the programs.</summary>
    /// <param name="name">What npm installed, or <c>node</c>.</param>
    /// <returns>Its exit code, and what it printed to both of its streams.</returns>
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(
        string name,
        params string[] arguments
    )
    {
        var token = TestContext.Current.CancellationToken;
        Assert.SkipUnless(
            Directory.Exists(Packages),
            "the programs of tests/e2e are not here; ./dev check fetches them"
        );
        var start = new ProcessStartInfo(name == "node" ? name : Path.Combine(Packages, ".bin", name), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["NODE_PATH"] = Packages },
        };
        using var process = Process.Start(start)!;
        // both at once: one that fills up would stop the program
        var output = process.StandardOutput.ReadToEndAsync(token);
        var error = process.StandardError.ReadToEndAsync(token);
        await process.WaitForExitAsync(token);
        return (process.ExitCode, await output, await error);
    }
}
