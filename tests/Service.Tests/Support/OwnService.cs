using Bellhop.Features.Accounts;
using Bellhop.Features.ApiKeys;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
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

    public Uri Address => Services.GetRequiredService<Listeners>().Api;

    /// <param name="set">Settings that differ from those of the shared service.</param>
    /// <param name="adjust">Parts that differ.</param>
    /// <param name="map">Routes that are there in addition.</param>
    /// <param name="beside">The service of whose database it is another replica.</param>
    /// <param name="route">Of its database's owner's connection string makes the one by which it runs.</param>
    public static async Task<OwnService> StartAsync(
        ServiceFixture service,
        int shutdownGraceSeconds = 0,
        string? keyRing = null,
        Func<Settings, Settings>? set = null,
        Action<WebApplicationBuilder>? adjust = null,
        Action<WebApplication>? map = null,
        OwnService? beside = null,
        Func<string, Task<string>>? route = null
    )
    {
        var token = TestContext.Current.CancellationToken;
        var owner = beside?.OwnerConnectionString ?? await NewDatabaseAsync(service, token);
        var settings = (set?.Invoke(service.Settings) ?? service.Settings) with
        {
            ConnectionString = route is null ? owner : await route(owner),
            MigrationsConnectionString = owner,
            ShutdownGraceSeconds = shutdownGraceSeconds,
            KeyRing = keyRing ?? service.Settings.KeyRing,
        };
        var storage = await Storage.OpenAsync(settings, Program.Composition.Settle, TimeSpan.Zero, _ => { }, token);
        var app = Program.Build(settings, Task.FromResult(storage), ScriptedJobs.Add + adjust);
        map?.Invoke(app);
        await app.StartAsync(token);
        await using var first = await storage.Databases.Main.OpenConnectionAsync(token);
        var project = await first.QuerySingleAsync<Guid>(
            "SELECT id FROM projects WHERE name = @Default".With(new { Projects.Default }, token)
        );
        return new OwnService(storage, app, project, owner);
    }

    /// <summary>Sends a request through the real pipeline, as the service itself would for a project.</summary>
    public async Task<T> SendAsync<T>(Guid projectId, IRequest<T> request)
    {
        await using var scope = Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(projectId, "test"));
        return await scope.ServiceProvider.GetRequiredService<IMediator>().Send(request);
    }

    /// <summary>A new key of the first project.</summary>
    public async Task<string> NewKeyAsync(string role = Roles.Owner)
    {
        var command = new CreateApiKey.Command(new KeyDocument($"{role}-{Guid.NewGuid():N}", role));
        return (await SendAsync(ProjectId, command)).Unwrap().Key;
    }

    private static async Task<string> NewDatabaseAsync(ServiceFixture service, CancellationToken cancellationToken)
    {
        var name = $"own_{Guid.NewGuid():N}";
        await using var owner = NpgsqlDataSource.Create(service.OwnerConnectionString);
        await using var connection = await owner.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync($"CREATE DATABASE {name}".With(null, cancellationToken));
        return new NpgsqlConnectionStringBuilder(service.OwnerConnectionString) { Database = name }.ConnectionString;
    }

    public Task StopAsync() => _app.StopAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        await _storage.DisposeAsync();
    }
}
