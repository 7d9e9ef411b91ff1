using Bellhop.Features.Accounts;
using Bellhop.Infrastructure.Database;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>A service on a database of its own, for a test that stops it or takes the database away.</summary>
public sealed class OwnService : IAsyncDisposable
{
    private readonly Storage _storage;
    private readonly WebApplication _app;

    private OwnService(Storage storage, WebApplication app, Guid projectId, string ownerConnectionString) =>
        (_storage, _app, ProjectId, OwnerConnectionString) = (storage, app, projectId, ownerConnectionString);

    public Guid ProjectId { get; }

    public string OwnerConnectionString { get; }

    public IServiceProvider Services => _app.Services;

    public NpgsqlDataSource Database => _storage.Databases.Main;

    public static async Task<OwnService> StartAsync(
        ServiceFixture service,
        int shutdownGraceSeconds = 0,
        string? keyRing = null
    )
    {
        var token = TestContext.Current.CancellationToken;
        var name = $"own_{Guid.NewGuid():N}";
        await using (var owner = NpgsqlDataSource.Create(service.OwnerConnectionString))
        await using (var connection = await owner.OpenConnectionAsync(token))
        {
            await connection.ExecuteAsync($"CREATE DATABASE {name}".With(null, token));
        }

        var settings = service.Settings with
        {
            ConnectionString = new NpgsqlConnectionStringBuilder(service.OwnerConnectionString)
            {
                Database = name,
            }.ConnectionString,
            ShutdownGraceSeconds = shutdownGraceSeconds,
            KeyRing = keyRing ?? service.Settings.KeyRing,
        };
        var storage = await Storage.OpenAsync(settings, Program.Composition.Settle, TimeSpan.Zero, _ => { }, token);
        var app = Program.Build(settings, Task.FromResult(storage), ScriptedJobs.Add);
        await app.StartAsync(token);
        await using var first = await storage.Databases.Main.OpenConnectionAsync(token);
        var project = await first.QuerySingleAsync<Guid>(
            "SELECT id FROM projects WHERE name = @Default".With(new { Projects.Default }, token)
        );
        return new OwnService(storage, app, project, settings.ConnectionString);
    }

    public Task StopAsync() => _app.StopAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        await _storage.DisposeAsync();
    }
}
