using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Secrets;

namespace Bellhop.Infrastructure.Database;

public static class StorageRegistration
{
    /// <summary>Adds what hangs on an open storage: its pools, the main one by itself, and what its key ring gives.</summary>
    /// <remarks>The storage stays its opener's to close.</remarks>
    public static IServiceCollection AddStorage(this IServiceCollection services, Storage storage) =>
        services
            .AddSingleton(storage)
            .AddSingleton(storage.Databases)
            .AddSingleton(storage.Databases.Main)
            .AddNotifications()
            .AddSingleton(storage.KeyRing)
            .AddSingleton(new SecretBox(storage.KeyRing))
            .AddSingleton(new CursorSigner(storage.KeyRing.Active.Derive("cursors")));
}
