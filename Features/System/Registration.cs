using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.System;

internal static class Registration
{
    public static IServiceCollection AddSystem(this IServiceCollection services) =>
        services.AddSingleton<Readiness>().AddDocumentTag("System", "What answers here.");
}
