using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Secrets;

namespace Bellhop.Infrastructure.Database;

public static class StorageRegistration
{
    /// <summary>Adds what hangs on a storage: its pools, the main one by itself, and what its key ring gives.</summary>
    /// <remarks>It may still be opening: whoever asks for a part of it first waits for that.</remarks>
    public static IServiceCollection AddStorage(this IServiceCollection services, Task<Storage> opening) =>
        services
            .AddSingleton(_ => opening.GetAwaiter().GetResult())
            .AddSingleton(provider => provider.GetRequiredService<Storage>().Databases)
            .AddSingleton(provider => provider.GetRequiredService<Databases>().Main)
            .AddScoped<UnitOfWork>()
            .AddSingleton(KeptAnswers.Sealed)
            .AddHostedService<ClusterWatch>()
            .AddNotifications()
            .AddSingleton(provider => provider.GetRequiredService<Storage>().KeyRing)
            .AddSingleton(provider => new SecretBox(provider.GetRequiredService<KeyRing>()))
            .AddSingleton(provider => new CursorSigner([
                .. provider.GetRequiredService<KeyRing>().Keys.Select(key => key.Derive("cursors")),
            ]));
}
