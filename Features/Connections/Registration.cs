namespace Bellhop.Features.Connections;

internal static class Registration
{
    public static IServiceCollection AddOutsideConnections(this IServiceCollection services) =>
        services.AddSingleton(ConnectionSecret.Sealed);
}
