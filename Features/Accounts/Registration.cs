using Bellhop.Features.Accounts.Tokens;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

internal static class Registration
{
    public static IServiceCollection AddAccounts(this IServiceCollection services)
    {
        services.AddDocumentTag("Auth", "Signing in and out, and who that is.");
        services.AddDocumentTag("Users", "Who is invited to a project.");
        services.AddSingleton<KnownUsers>();
        services.AddSingleton<PasswordHashes>();
        services.AddSingleton(SecondFactor.Sealed);
        services.AddSingleton<SecondFactor>();
        services.AddSingleton<ICallerProof, SessionProof>();
        services.AddScoped<AccountAudit>();
        services.AddScoped<Credentials>();
        services.AddScoped<Sessions>();
        services.AddTokens();
        services.AddScoped<OneTimeTokens>();
        services.AddScoped<Memberships>();
        services.AddSingleton<AccountMail>();
        return services;
    }
}
