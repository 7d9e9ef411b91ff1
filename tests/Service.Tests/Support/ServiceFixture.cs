using System.Net;
using System.Net.Http.Headers;
using Bellhop.Features.Accounts;
using Bellhop.Features.ApiKeys;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Support;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Xunit;

[assembly: AssemblyFixture(typeof(ServiceFixture))]

namespace Bellhop.Tests.Support;

/// <summary>One running service for the whole run: the real host, real HTTP on loopback, a real PostgreSQL of its own.</summary>
/// <remarks>Tests run in parallel, each in a project of its own; what one does is invisible to the others, as it is to customers.</remarks>
public sealed class ServiceFixture : IAsyncLifetime
{
    private readonly string _state = Directory.CreateTempSubdirectory("bellhop-tests-").FullName;
    private EmbeddedCluster? _cluster;
    private Storage? _storage;
    private WebApplication? _app;

    public IServiceProvider Services => _app!.Services;

    /// <summary>As the service sees it: role bellhop_app, search path bellhop.</summary>
    public NpgsqlDataSource Database => _storage!.Databases.Main;

    /// <summary>As its owner sees it.</summary>
    public string OwnerConnectionString => _cluster!.ConnectionString;

    public Uri Address => Services.GetRequiredService<Listeners>().Api;

    public Uri InternalAddress => Services.GetRequiredService<Listeners>().Internal;

    public Settings Settings { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _cluster = EmbeddedCluster.Start(Checkout.State, throwAway: true);
        Settings = new Settings
        {
            Listen = new IPEndPoint(IPAddress.Loopback, 0),
            InternalListen = new IPEndPoint(IPAddress.Loopback, 0),
            StateDirectory = _state,
            Roles = ["api", "worker", "scheduler"],
            TrustedProxies = [],
            AllowedHosts = [],
            KeyRing = Path.Combine(_state, "keyring"),
            OutgoingAllowNetworks = [IPNetwork.Parse("127.0.0.0/8")],
            ShutdownGraceSeconds = 5,
            DrainDelaySeconds = 0,
            ConnectionString = _cluster.ConnectionString,
        };
        _storage = await Storage.OpenAsync(
            Settings,
            Program.Composition.Settle,
            TimeSpan.Zero,
            _ => { },
            CancellationToken.None
        );
        _app = Program.Build(
            Settings,
            Task.FromResult(_storage),
            builder =>
            {
                builder.Logging.ClearProviders(); // a thousand requests would bury the one failure
                ScriptedJobs.Add(builder);
            }
        );
        await _app.StartAsync();
    }

    /// <summary>A project nobody else knows, with a key of the role.</summary>
    public async Task<TestProject> NewProjectAsync(string role = Roles.Owner)
    {
        var name = $"t{Guid.NewGuid():N}"[..20];
        var project = (await SendAsync(Guid.Empty, new CreateProject.Command(name))).Unwrap();
        var test = new TestProject(this, project.Id, project.Name);
        await test.UseKeyAsync(role);
        return test;
    }

    /// <summary>A client without a key.</summary>
    public HttpClient NewClient(string? key = null)
    {
        var client = new HttpClient { BaseAddress = Address };
        client.DefaultRequestHeaders.Authorization = key is null ? null : new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    /// <summary>Sends a request through the real pipeline, as the service itself would for a project.</summary>
    public async Task<T> SendAsync<T>(Guid projectId, IRequest<T> request)
    {
        await using var scope = Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(projectId, "test"));
        return await scope.ServiceProvider.GetRequiredService<IMediator>().Send(request);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        if (_storage is not null)
        {
            await _storage.DisposeAsync();
        }

        NpgsqlConnection.ClearAllPools();
        _cluster?.Dispose();
        Directory.Delete(_state, recursive: true);
    }
}

/// <summary>A project of one test.</summary>
public sealed class TestProject(ServiceFixture service, Guid id, string name)
{
    public Guid Id { get; } = id;

    public string Name { get; } = name;

    public string Key { get; private set; } = "";

    /// <summary>Authorised with <see cref="Key"/>, against the service's public port.</summary>
    public HttpClient Http { get; private set; } = null!;

    public NpgsqlDataSource Database => service.Database;

    /// <summary>Goes on with a new key of this role and these scopes.</summary>
    public async Task UseKeyAsync(string role, params string[] scopes)
    {
        var command = new CreateApiKey.Command(
            new KeyDocument($"{role}-{Guid.NewGuid():N}", role, Scopes: scopes.Length == 0 ? null : scopes)
        );
        Key = (await SendAsync(command)).Unwrap().Key;
        Http = service.NewClient(Key);
    }

    public Task<T> SendAsync<T>(IRequest<T> request) => service.SendAsync(Id, request);
}
