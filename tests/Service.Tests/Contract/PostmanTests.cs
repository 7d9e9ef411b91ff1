using System.Diagnostics;
using System.Text.Json;
using Bellhop.Tests.Infrastructure.Outgoing;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Contract;

/// <summary>The collections that users import, run as Postman runs them against the running service.</summary>
public sealed class PostmanTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("bellhop")]
    [InlineData("flows")]
    public async Task Every_request_of_the_collection_is_answered_as_it_says(string name)
    {
        var newman = Path.Combine(Checkout.State, "tools/npm/node_modules/.bin/newman");
        Assert.SkipUnless(File.Exists(newman), "newman is not installed; ./dev check fetches it");
        var project = await service.NewProjectAsync();
        await using var receiver = LoopbackServer.Answering("HTTP/1.1 204 No Content\r\n\r\n");
        var report = Path.GetTempFileName();
        var start = new ProcessStartInfo(newman) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (
            var argument in new[]
            {
                "run",
                Path.Combine(Checkout.Root, $"deploy/postman/{name}.postman_collection.json"),
                "--env-var",
                $"baseUrl={service.Address.ToString().TrimEnd('/')}",
                "--env-var",
                $"bearerToken={project.Key}",
                "--env-var",
                $"receiver={receiver.Url}",
                "--reporters",
                "cli,json",
                "--reporter-json-export",
                report,
                "--color",
                "off",
            }
        )
        {
            start.ArgumentList.Add(argument);
        }

        using var run = Process.Start(start)!;
        var printed = await run.StandardOutput.ReadToEndAsync(Token);
        await run.WaitForExitAsync(Token);
        using var told = JsonDocument.Parse(await File.ReadAllBytesAsync(report, Token));
        File.Delete(report);

        Assert.True(run.ExitCode == 0, printed);
        var executions = told.RootElement.GetProperty("run").GetProperty("executions").EnumerateArray().ToArray();
        Assert.NotEmpty(executions);
        Assert.All(executions, one => Assert.NotEmpty(one.GetProperty("assertions").EnumerateArray()));
    }
}
