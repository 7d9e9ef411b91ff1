using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Audit;

internal static class Registration
{
    public static IServiceCollection AddAudit(this IServiceCollection services)
    {
        services.AddDocumentTag(
            "Audit",
            "Who changed what, when and from where. Entries are never changed or removed."
        );
        services.AddSingleton(ChainSeal.Sealed);
        services.AddSingleton<ChainSeal>();
        services.AddSingleton<AuditChain>();
        services.AddSingleton<ChainCheck>();
        return services;
    }
}
