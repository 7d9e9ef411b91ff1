using System.Diagnostics;
using System.Text.RegularExpressions;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Docs;

/// <summary>The commands of a guide, run as they are written, one after the other, on a new installation.</summary>
public sealed partial class GuideTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Accounts", "jobs:write, and nothing that narrows it excludes queues/default")]
    [InlineData("Audit", "api-keys/auditor")]
    public async Task A_guide_can_be_followed(string feature, string prints)
    {
        Assert.SkipWhen(!File.Exists("/usr/bin/curl"), "the guides need curl");
        var guide = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "Features", feature, "README.md"), Token);
        var blocks = Block().Matches(guide).Select(match => match.Groups[1].Value).ToArray();
        Assert.NotEmpty(blocks);
        using var cluster = EmbeddedCluster.Start(Checkout.State, throwAway: true);
        var directory = Directory.CreateTempSubdirectory("bellhop-guide-").FullName;
        var state = Directory.CreateDirectory(Path.Combine(directory, ".state")).FullName;
        await using (var service = new ServiceProcess(state, cluster.ConnectionString))
        {
            await service.ServeAsync();
            var script = string.Join('\n', blocks.Prepend("set -euo pipefail"))
                .Replace("127.0.0.1:8080", $"127.0.0.1:{service.Port}", StringComparison.Ordinal)
                .Replace("artifacts/up/", AppContext.BaseDirectory, StringComparison.Ordinal);

            var (exitCode, printed) = await RunAsync(script, directory, cluster.ConnectionString);

            Assert.True(exitCode == 0, printed);
            Assert.Contains(prints, printed, StringComparison.Ordinal);
        }

        NpgsqlConnection.ClearAllPools();
        Directory.Delete(directory, recursive: true);
    }

    private static async Task<(int ExitCode, string Printed)> RunAsync(string script, string directory, string database)
    {
        var start = new ProcessStartInfo("bash")
        {
            RedirectStandardOutput = true,
            WorkingDirectory = directory,
            ArgumentList = { "-c", $"exec 2>&1\n{script}" },
        };
        start.Environment["ConnectionStrings__Bellhop"] = database;
        using var process = Process.Start(start)!;
        var printed = await process.StandardOutput.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);
        return (process.ExitCode, printed);
    }

    [GeneratedRegex(@"```sh\n(.*?)\n```", RegexOptions.Singleline)]
    private static partial Regex Block();
}
