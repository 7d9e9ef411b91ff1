using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts.Tokens;

internal static class Registration
{
    public static IServiceCollection AddTokens(this IServiceCollection services)
    {
        services.AddSingleton(SigningKeys.Sealed);
        services.AddSingleton<SigningKeys>();
        services.AddSingleton<AccessTokens>();
        services.AddSingleton<RefreshTokens>();
        services.AddSingleton<EndedFamilies>();
        services.AddScoped<TokenGrants>();
        services.AddSingleton<ICallerProof, AccessTokenProof>();
        services.AddDocumentTag("Token issuers", "Others whose tokens a project takes for what they say.");
        services.AddSingleton<TokenIssuerRules>();
        services.AddSingleton<KnownIssuers>();
        services.AddSingleton<IssuerKeys>();
        services.AddSingleton<ICallerProof, IssuerTokenProof>();
        services.AddScoped<SavedIssuers>();
        return services;
    }
}
