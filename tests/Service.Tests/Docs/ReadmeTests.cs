using System.Diagnostics;
using System.Text.RegularExpressions;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Docs;

/// <summary>The tour of the README, run as it is written. What it prints is what the README says it prints.</summary>
public sealed partial class ReadmeTests
{
    [Fact]
    public async Task The_five_minute_tour_prints_what_it_says()
    {
        Assert.SkipWhen(
            !OnPath("python3") || !OnPath("openssl") || !OnPath("curl"),
            "the tour needs curl, openssl and python3"
        );
        var tour = Tour();
        using var cluster = EmbeddedCluster.Start(Checkout.State, throwAway: true);
        var directory = Directory.CreateTempSubdirectory("bellhop-tour-").FullName;
        var state = Directory.CreateDirectory(Path.Combine(directory, ".state")).FullName;
        Directory.CreateSymbolicLink(Path.Combine(directory, "deploy"), Path.Combine(Checkout.Root, "deploy"));
        await using (var service = new ServiceProcess(state, cluster.ConnectionString))
        {
            await service.ServeAsync();
            var receiver = ServiceProcess.FreePort();
            var script = string.Join('\n', tour.Where(block => block.Language == "sh").Select(block => block.Text))
                .Replace("127.0.0.1:8080", $"127.0.0.1:{service.Port}", StringComparison.Ordinal)
                .Replace("9099", $"{receiver}", StringComparison.Ordinal)
                // a busy machine takes longer than a second: what is waited for is waited for
                .Replace("& sleep 1", $"& {Until($"true > /dev/tcp/127.0.0.1/{receiver}")}", StringComparison.Ordinal)
                .Replace(
                    "; sleep 1",
                    $"; {Until("api $API/v1/deliveries?state=succeeded | grep -q finished_at")}",
                    StringComparison.Ordinal
                );

            var printed = Run($"{script}\nkill $!", directory);

            var expected = tour.Where(block => block.Language is "json" or "text").Select(block => Shape(block.Text));
            Assert.Equal(
                Lines(expected),
                Lines([Shape(printed.Replace($"{receiver}", "9099", StringComparison.Ordinal))])
            );
        }

        NpgsqlConnection.ClearAllPools();
        Directory.Delete(directory, recursive: true);
    }

    private static string Until(string condition) =>
        $"for i in $(seq 200); do ({condition}) 2>/dev/null && break; sleep 0.1; done";

    /// <summary>The blocks of the tour in the order of the text.</summary>
    private static (string Language, string Text)[] Tour()
    {
        var readme = File.ReadAllText(Path.Combine(Checkout.Root, "README.md"));
        var section = readme.Split("## Five minutes")[1].Split("\n## ")[0];
        var blocks = Block().Matches(section).Select(match => (match.Groups[1].Value, match.Groups[2].Value)).ToArray();
        Assert.True(blocks.Length > 8, $"{blocks.Length} blocks");
        return blocks;
    }

    // ids, times, tokens and digests differ from run to run; their places do not
    private static string Shape(string text) =>
        Token().Replace(Time().Replace(Id().Replace(text, "<id>"), "<time>"), "/in/<token>");

    // the receiver prints beside the shell, so lines are compared as a set
    private static string[] Lines(IEnumerable<string> texts) =>
        [
            .. texts
                .SelectMany(text => text.Split('\n'))
                .Select(line => line.TrimEnd())
                .Where(line => line.Length > 0)
                .Order(StringComparer.Ordinal),
        ];

    private static string Run(string script, string directory)
    {
        var start = new ProcessStartInfo("bash") { RedirectStandardOutput = true, WorkingDirectory = directory };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(script);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output;
    }

    private static bool OnPath(string program) =>
        Environment
            .GetEnvironmentVariable("PATH")!
            .Split(':')
            .Any(directory => File.Exists(Path.Combine(directory, program)));

    [GeneratedRegex(@"```(\w+)\n(.*?)\n```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex Id();

    [GeneratedRegex(@"20\d\d-\d\d-\d\dT[0-9:.]+Z")]
    private static partial Regex Time();

    [GeneratedRegex("/in/[0-9A-Za-z]{20,}")]
    private static partial Regex Token();
}
