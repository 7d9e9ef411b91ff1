using System.Diagnostics;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Telemetry;

public sealed class MetricsTests(ServiceFixture service)
{
    [Fact]
    public async Task Prometheus_has_nothing_to_complain_about()
    {
        var promtool = Environment
            .GetEnvironmentVariable("PATH")!
            .Split(':')
            .Append(Path.Combine(Checkout.State, "tools/bin"))
            .Select(directory => Path.Combine(directory, "promtool"))
            .FirstOrDefault(File.Exists);
        Assert.SkipWhen(promtool is null, "promtool is not installed; ./dev check fetches it");
        using var client = new HttpClient { BaseAddress = service.InternalAddress };
        var scrape = await client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        var start = new ProcessStartInfo(promtool!, "check metrics")
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using var check = Process.Start(start)!;
        await check.StandardInput.WriteAsync(scrape);
        check.StandardInput.Close();
        var complaints = await check.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await check.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal("", complaints.Trim());
        Assert.Equal(0, check.ExitCode);
    }

    [Fact]
    public async Task No_label_names_a_project_an_id_or_a_url()
    {
        var project = await service.NewProjectAsync();
        using var client = new HttpClient { BaseAddress = service.InternalAddress };
        var scrape = await client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);

        Assert.DoesNotContain(project.Id.ToString(), scrape, StringComparison.Ordinal);
        Assert.DoesNotMatch("\\{[^}]*(project|_id|url)=", scrape);
    }
}
