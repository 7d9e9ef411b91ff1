using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.Logging;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Abuse;

/// <summary>R-50: those who watch cost little, all hear of a change, and a service that stops keeps none of them waiting.</summary>
[Trait("Abuse", "R-50")]
public sealed class ManyStreamsTests(ServiceFixture service)
{
    private const string LaterJob = """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""";
    private const string MakeDue = "UPDATE bellhop.jobs SET run_at = now() WHERE id = @Id";
    private const double MiB = 1024 * 1024;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task R50_of_three_hundred_who_watch_a_job_each_is_told_its_end()
    {
        var project = await service.NewProjectAsync();
        var job = await project.Http.PostAsync("/v1/jobs", LaterJob);
        await using var streams = await OpenStreams.OpenAsync(
            service.Address,
            $"/v1/jobs/{job.Id}/events",
            project.Key,
            300
        );
        Assert.Equal(300, streams.Open);

        await TestJobs.MakeDueAsync(project, job.Id);

        await streams.UntilAllHaveAsync("\"succeeded\"", Eventually.Patience);
        await streams.UntilAllHaveAsync("event: end", Eventually.Patience);
    }

    [Fact]
    public async Task R50_a_service_that_stops_ends_each_stream_so_that_its_reader_comes_again()
    {
        await using var own = await OwnService.StartAsync(service, adjust: builder => builder.Logging.ClearProviders());
        var key = await own.NewKeyAsync();
        using var client = new HttpClient { BaseAddress = own.Address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        var job = await client.PostAsync("/v1/jobs", LaterJob);
        await using var streams = await OpenStreams.OpenAsync(own.Address, $"/v1/jobs/{job.Id}/events", key, 100);

        await own.StopAsync();

        await streams.UntilAllHaveAsync("event: end", Eventually.Patience);
    }

    [Fact]
    [Trait("Category", "nightly")]
    public async Task R50_ten_thousand_streams_fit_into_400_MB()
    {
        const int Many = 10_000;
        using var cluster = EmbeddedCluster.Start(Checkout.State, throwAway: true);
        var state = Directory.CreateTempSubdirectory("bellhop-streams-").FullName;
        await using (var process = new ServiceProcess(state, cluster.ConnectionString))
        {
            await process.ServeAsync();
            var files = OpenFileLimit(process.Id);
            Assert.SkipWhen(files < Many + 1000, $"a process may open {files} files here");
            using var client = process.NewClient();
            var job = await client.PostAsync("/v1/jobs", LaterJob);
            var before = ResidentBytes(process.Id);

            await using var streams = await OpenStreams.OpenAsync(
                process.Address,
                $"/v1/jobs/{job.Id}/events",
                client.DefaultRequestHeaders.Authorization!.Parameter!,
                Many
            );
            var idle = ResidentBytes(process.Id);
            var probe = await ProbeAsync(client);
            await using var database = NpgsqlDataSource.Create(cluster.ConnectionString);
            await using var connection = await database.OpenConnectionAsync(Token);
            await connection.ExecuteAsync(MakeDue.With(new { job.Id }, Token));
            var fanOut = await streams.UntilAllHaveAsync("\"succeeded\"", TimeSpan.FromMinutes(1));
            var busy = ResidentBytes(process.Id);

            TestContext.Current.TestOutputHelper!.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{Many} streams: all had an event {streams.OpenedIn.TotalSeconds:f1} s after the first connection; "
                        + $"resident {before / MiB:f0} → {idle / MiB:f0} → {busy / MiB:f0} MiB, {(idle - before) / Many} bytes a stream; "
                        + $"probe {probe.TotalMilliseconds:f0} ms; a change told to all in {fanOut.TotalSeconds:f1} s"
                )
            );
            Assert.True(busy <= 400e6, $"{busy} bytes");
            Assert.True(fanOut < TimeSpan.FromSeconds(5), $"{fanOut}");
        }

        Directory.Delete(state, recursive: true);
        NpgsqlConnection.ClearAllPools();
    }

    [Fact]
    [Trait("Category", "nightly")]
    public async Task R50_a_service_with_ten_thousand_idle_streams_stops_at_once()
    {
        const int Many = 10_000;
        using var cluster = EmbeddedCluster.Start(Checkout.State, throwAway: true);
        var state = Directory.CreateTempSubdirectory("bellhop-streams-").FullName;
        var settings = new Dictionary<string, string> { ["Bellhop__DrainDelaySeconds"] = "0" };
        await using (var process = new ServiceProcess(state, cluster.ConnectionString, settings))
        {
            await process.ServeAsync();
            Assert.SkipWhen(OpenFileLimit(process.Id) < Many + 1000, "a process may not open as many files here");
            using var client = process.NewClient();
            var job = await client.PostAsync("/v1/jobs", LaterJob);
            await using var streams = await OpenStreams.OpenAsync(
                process.Address,
                $"/v1/jobs/{job.Id}/events",
                client.DefaultRequestHeaders.Authorization!.Parameter!,
                Many
            );

            var watch = Stopwatch.StartNew();
            Assert.Equal(0, await process.StopAsync());
            await streams.UntilAllHaveAsync("event: end", Eventually.Patience);

            TestContext.Current.TestOutputHelper!.WriteLine(
                $"{Many} streams ended, and the process with them, in {watch.Elapsed}"
            );
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{watch.Elapsed}");
        }

        Directory.Delete(state, recursive: true);
        NpgsqlConnection.ClearAllPools();
    }

    private static async Task<TimeSpan> ProbeAsync(HttpClient client)
    {
        var watch = Stopwatch.StartNew();
        var info = await client.GetFromJsonAsync<JsonElement>("/v1/info", Token);
        Assert.Equal("bellhop", info.GetProperty("name").GetString());
        return watch.Elapsed;
    }

    private static long ResidentBytes(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status")
            .Single(one => one.StartsWith("VmRSS:", StringComparison.Ordinal));
        return 1024
            * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    /// <summary>What the process has raised it to by itself.</summary>
    private static long OpenFileLimit(int process)
    {
        var line = File.ReadLines($"/proc/{process}/limits")
            .Single(one => one.StartsWith("Max open files", StringComparison.Ordinal));
        return long.TryParse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3], out var files)
            ? files
            : long.MaxValue;
    }
}
