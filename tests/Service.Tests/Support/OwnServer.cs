using Bellhop.Infrastructure.Database;

namespace Bellhop.Tests.Support;

/// <summary>A PostgreSQL of a test's own, to be taken away from a service.</summary>
public sealed class OwnServer : IAsyncDisposable
{
    private readonly EmbeddedCluster _cluster = EmbeddedCluster.Start(Checkout.State, throwAway: true);

    public string State { get; } = Directory.CreateTempSubdirectory("bellhop-own-").FullName;

    public string ConnectionString => _cluster.ConnectionString;

    public void Stop() => _cluster.StopServer("immediate");

    public void Start() => _cluster.StartServer();

    public ValueTask DisposeAsync()
    {
        _cluster.Dispose();
        Directory.Delete(State, recursive: true);
        return ValueTask.CompletedTask;
    }
}
