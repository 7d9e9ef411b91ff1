using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Secrets;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.System;

/// <summary>Says everything that is wrong with the settings, the key ring and the server they name. Changes nothing.</summary>
public static class CheckConfiguration
{
    public sealed class Verb : CliVerb
    {
        public Verb()
            : base("config check", "Say what is wrong with the settings, all at once.") { }

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendOfflineAsync(
                new Query(),
                report => report.Faults.Count == 0 ? "The configuration is sound." : string.Join('\n', report.Faults),
                report => report.Faults.Count == 0 ? ExitCodes.Done : ExitCodes.Configuration,
                cancellationToken
            );
    }

    public sealed record Query : IRequest<Result<Report>>;

    /// <param name="Faults">One sentence each, with the key it is about.</param>
    public sealed record Report(IReadOnlyList<string> Faults);

    internal sealed class Handler(IConfiguration configuration) : IRequestHandler<Query, Result<Report>>
    {
        private const int OldestServer = 150000;

        public async Task<Result<Report>> Handle(Query query, CancellationToken cancellationToken)
        {
            var (settings, faults) = new SettingsReader(configuration).Read();
            if (settings is null)
            {
                return new Report(faults);
            }

            var server = settings.IsEmbedded ? null : await CheckServerAsync(settings, cancellationToken);
            string?[] found = [CheckKeyRing(settings), server];
            return new Report([.. found.OfType<string>(), .. CheckCommands(settings)]);
        }

        private static IEnumerable<string> CheckCommands(Settings settings) =>
            settings
                .Shell.Where(pair => settings.HasRole("worker") && !File.Exists(pair.Value.Program))
                .Select(pair =>
                    $"{Settings.Section}:{ShellCommand.Place}:{pair.Key}: there is no program {pair.Value.Program}."
                );

        private static string? CheckKeyRing(Settings settings)
        {
            try
            {
                return File.Exists(settings.KeyRing) && KeyRing.Load(settings.KeyRing).Keys.Count == 0 ? "" : null;
            }
            catch (KeyRingException exception)
            {
                return $"Bellhop:KeyRing: {exception.Message}";
            }
        }

        private static async Task<string?> CheckServerAsync(Settings settings, CancellationToken cancellationToken)
        {
            var key = settings.MigrationsConnectionString is null ? "Bellhop" : "Migrations";
            try
            {
                var owner = Databases.ForOwner(settings.MigrationsConnectionString ?? settings.ConnectionString);
                await using var connection = new NpgsqlConnection(owner);
                await connection.OpenAsync(cancellationToken);
                var server = await connection.QuerySingleAsync<Server>(Sql.Server.With(null, cancellationToken));
                return server.Version < OldestServer
                        ? $"ConnectionStrings:{key}: PostgreSQL 15 or newer is needed, this is {server.Version / 10000}."
                    : !server.HasRole && !server.MayCreateRoles
                        ? $"ConnectionStrings:{key}: the role bellhop_app does not exist and this login may not create it."
                    : null;
            }
            catch (NpgsqlException exception)
            {
                return $"ConnectionStrings:{key}: {exception.GetBaseException().Message}";
            }
        }

        private sealed record Server(int Version, bool HasRole, bool MayCreateRoles);
    }

    private static class Sql
    {
        public const string Server = """
            SELECT
                current_setting('server_version_num')::integer AS version,
                EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'bellhop_app') AS hasrole,
                (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) AS maycreateroles
            """;
    }
}
