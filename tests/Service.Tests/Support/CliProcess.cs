using System.Diagnostics;

namespace Bellhop.Tests.Support;

/// <summary>The real binary, run with words until it ends.</summary>
public sealed record CliProcess(int ExitCode, string Output, string Errors)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static async Task<CliProcess> RunAsync(
        IReadOnlyDictionary<string, string> environment,
        params string[] words
    )
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { Path.Combine(AppContext.BaseDirectory, "bellhop.dll") },
        };
        foreach (var word in words)
        {
            start.ArgumentList.Add(word);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().WaitAsync(Patience);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }

        return new CliProcess(process.ExitCode, (await output).Trim(), (await errors).Trim());
    }

    /// <summary>What a command needs to act on the database of the running tests.</summary>
    public static Dictionary<string, string> On(ServiceFixture service) =>
        new()
        {
            ["ConnectionStrings__Bellhop"] = service.OwnerConnectionString,
            ["Bellhop__StateDirectory"] = service.Settings.StateDirectory,
            ["Bellhop__KeyRing"] = service.Settings.KeyRing,
            ["Bellhop__InternalListen"] = $"127.0.0.1:{service.InternalAddress.Port}",
        };
}
