using Bellhop.Features.Accounts.Tokens;

namespace Bellhop.Features.Accounts;

internal static class Registration
{
    public static IServiceCollection AddAccounts(this IServiceCollection services)
    {
        services.AddSingleton<KnownUsers>();
        services.AddTokens();
        return services;
    }
}
