using System.Net;
using Bellhop.Features.System;
using Bellhop.Infrastructure.Background;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.System;

public sealed class GetHealthTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("live")]
    [InlineData("ready")]
    [InlineData("startup")]
    public async Task A_running_service_is_well_on_both_ports_with_detail_on_one(string probe)
    {
        using var outside = new HttpClient { BaseAddress = service.Address };
        using var inside = new HttpClient { BaseAddress = service.InternalAddress };

        Assert.Equal("""{"status":"ok"}""", await outside.GetStringAsync($"/health/{probe}", Token));
        Assert.Contains(
            "\"version\":",
            await inside.GetStringAsync($"/health/{probe}", Token),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_draining_service_is_alive_and_not_ready_and_still_answers()
    {
        await using var own = await OwnService.StartAsync(service);
        own.Services.GetRequiredService<Drain>().Begin();
        var readiness = own.Services.GetRequiredService<Readiness>();

        Assert.Equal("The service is stopping.", await readiness.ReasonAsync());
        Assert.True(readiness.IsStarted);
        await own.StopAsync();
    }

    [Fact]
    public async Task A_service_whose_database_is_away_is_alive_and_not_ready()
    {
        await using var server = new OwnServer();
        await using var process = new ServiceProcess(server.State, server.ConnectionString);
        await process.ServeAsync();
        using var client = new HttpClient { BaseAddress = process.Address };
        server.Stop();

        await Eventually.BeTrueAsync(
            async () =>
            {
                using var ready = await client.GetAsync("/health/ready", Token);
                return ready.StatusCode == HttpStatusCode.ServiceUnavailable;
            },
            "ready says 503"
        );
        using var live = await client.GetAsync("/health/live", Token);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);

        server.Start();
        await process.BecomeReadyAsync();
        Assert.Equal(0, await process.StopAsync());
    }
}
