using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using MediatR;
using Npgsql;

namespace Bellhop.Features.System;

/// <summary>Prints the settings as they are in force, secrets masked.</summary>
public static class PrintConfiguration
{
    public sealed class Verb : CliVerb
    {
        public Verb()
            : base("config print", "Print the settings in force, secrets masked.") { }

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendOfflineAsync(
                new Query(session.ReadSettings()),
                response => string.Join('\n', response.Settings.Select(pair => $"{pair.Key}={pair.Value}")),
                _ => ExitCodes.Done,
                cancellationToken
            );
    }

    public sealed record Query(Settings Settings) : IRequest<Result<Response>>;

    public sealed record Response(IReadOnlyDictionary<string, string> Settings);

    internal sealed class Handler : IRequestHandler<Query, Result<Response>>
    {
        public Task<Result<Response>> Handle(Query query, CancellationToken cancellationToken) =>
            Task.FromResult<Result<Response>>(new Response(Print(query.Settings)));

        private static SortedDictionary<string, string> Print(Settings settings)
        {
            var printed = new SortedDictionary<string, string>(StringComparer.Ordinal)
            {
                ["Bellhop:AllowedHosts"] = string.Join(',', settings.AllowedHosts),
                ["Bellhop:Cors:Origins"] = string.Join(',', settings.CorsOrigins),
                ["Bellhop:DrainDelaySeconds"] = FormattableString.Invariant($"{settings.DrainDelaySeconds}"),
                ["Bellhop:InternalListen"] = settings.InternalListen.ToString(),
                ["Bellhop:KeyRing"] = settings.KeyRing,
                ["Bellhop:Listen"] = settings.Listen.ToString(),
                ["Bellhop:Mail:Connection"] = settings.MailConnection ?? "",
                ["Bellhop:Sessions:AbsoluteSeconds"] = FormattableString.Invariant(
                    $"{settings.SessionAbsolute.TotalSeconds}"
                ),
                ["Bellhop:Sessions:IdleSeconds"] = FormattableString.Invariant($"{settings.SessionIdle.TotalSeconds}"),
                ["Bellhop:Oidc:Authority"] = settings.Oidc?.Authority ?? "",
                ["Bellhop:Oidc:ClientId"] = settings.Oidc?.ClientId ?? "",
                ["Bellhop:Oidc:ClientSecret"] = settings.Oidc?.ClientSecret is null ? "" : "***",
                ["Bellhop:Outgoing:AllowNetworks"] = string.Join(',', settings.OutgoingAllowNetworks),
                ["Bellhop:PublicUrl"] = settings.PublicUrl ?? "",
                ["Bellhop:RateLimits:Headers"] = settings.RateLimitHeaders ? "true" : "false",
                ["Bellhop:Roles"] = string.Join(',', settings.Roles),
                // the programs only: arguments may hold anything
                ["Bellhop:Shell:Commands"] = string.Join(
                    ',',
                    settings
                        .Shell.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                        .Select(pair => $"{pair.Key}:{pair.Value.Program}")
                ),
                ["Bellhop:ShutdownGraceSeconds"] = FormattableString.Invariant($"{settings.ShutdownGraceSeconds}"),
                ["Bellhop:StateDirectory"] = settings.StateDirectory,
                ["Bellhop:Tokens:IdleDays"] = FormattableString.Invariant($"{settings.TokenIdleDays}"),
                ["Bellhop:Retention:JobDays"] = FormattableString.Invariant($"{settings.RetentionJobDays}"),
                ["Bellhop:Tokens:RefreshDays"] = FormattableString.Invariant($"{settings.TokenRefreshDays}"),
                ["Bellhop:Tokens:RotateDays"] = FormattableString.Invariant($"{settings.TokenRotateDays}"),
                ["Bellhop:TrustedProxies"] = string.Join(',', settings.TrustedProxies),
                ["ConnectionStrings:Bellhop"] = Mask(settings.ConnectionString),
                ["ConnectionStrings:Migrations"] = Mask(settings.MigrationsConnectionString ?? ""),
            };
            foreach (var place in RateLimit.Places)
            {
                printed[$"Bellhop:RateLimits:{place}"] =
                    settings.RateLimits.GetValueOrDefault(place)?.ToString() ?? "unlimited";
            }

            return printed;
        }

        private static string Mask(string connectionString)
        {
            var parts = new NpgsqlConnectionStringBuilder(connectionString);
            parts.Password = parts.Password is null ? null : "***";
            parts.SslPassword = parts.SslPassword is null ? null : "***";
            return parts.ConnectionString;
        }
    }
}
