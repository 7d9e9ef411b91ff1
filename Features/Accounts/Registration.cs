using Bellhop.Features.Accounts.Oidc;
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
        services.AddDocumentTag("Projects", "What a user is a member of, and what its owners do to it as a whole.");
        services.AddDocumentTag("Members", "Who may do what in the project.");
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
        services.AddScoped<SavedProjects>();
        services.AddScoped<SavedMembers>();
        services.AddScoped<LinkedUsers>();
        services.AddSingleton<AccountMail>();
        return services;
    }
}
