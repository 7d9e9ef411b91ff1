using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.System;

public sealed class ServeTests(ServiceFixture service) : IDisposable
{
    private readonly string _state = Directory.CreateTempSubdirectory("bellhop-serve-").FullName;

    public void Dispose() => Directory.Delete(_state, recursive: true);

    [Fact]
    public async Task Who_finds_its_port_taken_ends_with_75_and_touches_no_job()
    {
        await using var own = await OwnService.StartAsync(service);
        await own.StopAsync();
        var job = TestJobs.Noop(own.ProjectId);
        await TestJobs.EnqueueAsync(own.Database, own.Services, job);
        await using var second = On(own, ("Bellhop__Listen", $"127.0.0.1:{service.Address.Port}"));

        second.Start("serve");

        Assert.Equal(ExitCodes.TryAgain, await second.ExitAsync());
        Assert.Contains("in use", second.Output, StringComparison.Ordinal);
        var claims = await TestJobs.QueryAsync<long?>(
            own.Database,
            "SELECT claim_no FROM jobs WHERE project_id = @ProjectId AND id = @Id",
            new { own.ProjectId, job.Id }
        );
        Assert.Equal(0, claims);
    }

    [Fact]
    public async Task Nobody_who_stopped_reading_its_output_keeps_it_from_stopping()
    {
        var token = TestContext.Current.CancellationToken;
        await using var own = await OwnService.StartAsync(service);
        await own.StopAsync();
        await using var process = On(own, isHeard: false);
        await process.ServeAsync();
        using var client = process.NewClient();
        var longPath = "/v1/" + new string('x', 1_000);
        for (var line = 0; line < 200; line++) // three times what a pipe holds
        {
            using var answer = await client.GetAsync(longPath, token);
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }

        Assert.Equal(ExitCodes.Done, await process.StopAsync());
    }

    [Fact]
    public async Task The_token_of_a_source_is_in_no_line_of_the_log()
    {
        var token = TestContext.Current.CancellationToken;
        await using var own = await OwnService.StartAsync(service);
        await own.StopAsync();
        await using var process = On(own);
        await process.ServeAsync();
        using var client = process.NewClient();
        using var made = await client.PostAsJsonAsync(
            "/v1/sources",
            new
            {
                name = "github",
                scheme = "github",
                secret = "it's a secret",
            },
            token
        );
        var path = (await made.Content.ReadFromJsonAsync<JsonElement>(token)).GetProperty("inbound_path").GetString()!;

        using var refused = await client.PostAsync(path, new StringContent("{}"), token);
        await process.StopAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Contains("/in/{token}", process.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(path["/in/".Length..], process.Output, StringComparison.Ordinal);
    }

    /// <summary>A process on the database of a service that has stopped.</summary>
    private ServiceProcess On(OwnService own, (string Name, string Value)? setting = null, bool isHeard = true)
    {
        var environment = new Dictionary<string, string> { ["Bellhop__KeyRing"] = service.Settings.KeyRing };
        if (setting is { } one)
        {
            environment[one.Name] = one.Value;
        }

        return new ServiceProcess(_state, own.OwnerConnectionString, environment) { IsHeard = isHeard };
    }
}
