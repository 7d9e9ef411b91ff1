using Bellhop.Features.Connections.Checking;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Connections;

internal static class Registration
{
    public static IServiceCollection AddOutsideConnections(this IServiceCollection services)
    {
        services.AddSingleton(ConnectionResources.Connections);
        services.AddDocumentTag(
            "Connections",
            "Outside systems with their credentials: APIs, databases, mail, buckets, models."
        );
        services.AddSingleton(ConnectionSecret.Sealed);
        services.AddSingleton<ISecretUser, SecretsOfConnections>();
        services.AddSingleton<ConnectionRules>();
        services.AddSingleton<ConnectionCache>();
        services.AddSingleton<ConnectionNames>();
        services.AddSingleton<MailSender>();
        services.AddSingleton<HttpCalls>();
        services.AddSingleton<MailCalls>();
        services.AddSingleton<SqlCalls>();
        services.AddSingleton<ServerProbe>();
        services.AddSingleton<IConnectionCheck, HttpCheck>();
        services.AddSingleton<IConnectionCheck, DatabaseCheck>();
        services.AddSingleton<IConnectionCheck, SmtpCheck>();
        services.AddSingleton<IConnectionCheck, S3Check>();
        services.AddScoped<SavedConnections>();
        return services;
    }
}
