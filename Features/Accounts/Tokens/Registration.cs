using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts.Tokens;

internal static class Registration
{
    public static IServiceCollection AddTokens(this IServiceCollection services)
    {
        services.AddDocumentTag("Signing in", "How people and programs prove who they are.");
        services.AddSingleton(SigningKeys.Sealed);
        services.AddSingleton<SigningKeys>();
        services.AddSingleton<AccessTokens>();
        services.AddSingleton<RefreshTokens>();
        services.AddSingleton<EndedFamilies>();
        services.AddScoped<TokenGrants>();
        services.AddSingleton<ICallerProof, AccessTokenProof>();
        return services;
    }
}
