using System.Data.Common;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Bellhop.Features.Connections.Checking;
using Bellhop.Infrastructure.Outgoing;
using MySqlConnector;
using Npgsql;

namespace Bellhop.Features.Connections;

/// <summary>Opens a session with a PostgreSQL server: to a checked address, while TLS keeps the name.</summary>
internal static class PostgreSqlSession
{
    /// <summary>Which version, and whether it is read only.</summary>
    public const string Question =
        "SELECT 'PostgreSQL ' || current_setting('server_version'), current_setting('transaction_read_only') = 'on'";

    public static Task<DbConnection> OpenAsync(
        CheckedHost host,
        DatabaseConfig config,
        string? secret,
        SessionWatch watch,
        CancellationToken cancellationToken
    ) =>
        DatabaseSession.OpenAsync(
            host,
            config,
            address => new NpgsqlConnection(ConnectionString(address, host.Port, config, secret))
            {
                SslClientAuthenticationOptionsCallback = options => Verify(options, host, config, watch),
            },
            cancellationToken
        );

    private static string ConnectionString(IPAddress address, int port, DatabaseConfig config, string? secret) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = $"{address}",
            Port = port,
            Database = config.Database,
            Username = config.User,
            Password = secret ?? throw new DialException(ConnectionErrors.SecretMissing),
            SslMode = config.Tls == DatabaseConfig.Off ? SslMode.Disable : SslMode.Require,
            GssEncryptionMode = GssEncryptionMode.Disable,
            Pooling = false,
            Timeout = DatabaseSession.TimeoutSeconds,
            CommandTimeout = DatabaseSession.TimeoutSeconds,
            ApplicationName = "bellhop",
        }.ConnectionString;

    // called when the server has agreed to TLS
    private static void Verify(
        SslClientAuthenticationOptions options,
        CheckedHost host,
        DatabaseConfig config,
        SessionWatch watch
    )
    {
        watch.Reached(StepName.Connect, $"Port {host.Port} accepts connections.");
        var name = config.Tls == DatabaseConfig.Require ? null : host.Name;
        options.TargetHost = host.Name;
        options.CertificateChainPolicy = PeerTrust.NewPolicy();
        options.RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
            watch.Accepts(name, certificate, chain, errors);
    }
}

/// <summary>Opens a session with a MySQL or MariaDB server: to a checked address, while TLS keeps the name.</summary>
internal static class MySqlSession
{
    /// <summary>Which version, and whether it is read only.</summary>
    public const string Question = "SELECT VERSION(), @@global.read_only <> 0";

    public static Task<DbConnection> OpenAsync(
        CheckedHost host,
        DatabaseConfig config,
        string? secret,
        SessionWatch watch,
        CancellationToken cancellationToken
    )
    {
        var name = config.Tls == DatabaseConfig.Require ? null : host.Name;
        return DatabaseSession.OpenAsync(
            host,
            config,
            address => new MySqlConnection(ConnectionString(address, host.Port, config, secret))
            {
                RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
                    watch.Accepts(name, certificate, chain, errors),
            },
            cancellationToken
        );
    }

    private static string ConnectionString(IPAddress address, int port, DatabaseConfig config, string? secret) =>
        new MySqlConnectionStringBuilder
        {
            Server = $"{address}",
            Port = (uint)port,
            Database = config.Database,
            UserID = config.User,
            Password = secret ?? throw new DialException(ConnectionErrors.SecretMissing),
            SslMode = config.Tls == DatabaseConfig.Off ? MySqlSslMode.Disabled : MySqlSslMode.Required,
            ServerRedirectionMode = MySqlServerRedirectionMode.Disabled, // it would lead past the check of addresses
            AllowLoadLocalInfile = false, // a server could ask for files of this machine
            AllowPublicKeyRetrieval = false, // a server in between could have the password
            Pooling = false,
            ConnectionTimeout = DatabaseSession.TimeoutSeconds,
            DefaultCommandTimeout = DatabaseSession.TimeoutSeconds,
            ApplicationName = "bellhop",
        }.ConnectionString;
}

/// <summary>What both have in common.</summary>
internal static class DatabaseSession
{
    public const int TimeoutSeconds = 10;

    public static Protocol ProtocolOf(OpenConnection connection) =>
        connection.Kind == ConnectionKind.MySql ? Protocol.MySql : Protocol.PostgreSql;

    /// <summary>Opens in the way of the connection's kind.</summary>
    public static Task<DbConnection> OpenAsync(
        CheckedHost host,
        OpenConnection connection,
        SessionWatch watch,
        CancellationToken cancellationToken
    )
    {
        var config = (DatabaseConfig)connection.Config;
        return connection.Kind == ConnectionKind.MySql
            ? MySqlSession.OpenAsync(host, config, connection.Secret, watch, cancellationToken)
            : PostgreSqlSession.OpenAsync(host, config, connection.Secret, watch, cancellationToken);
    }

    /// <summary>Opens at the first of the host's addresses that accepts a connection.</summary>
    public static async Task<DbConnection> OpenAsync(
        CheckedHost host,
        DatabaseConfig config,
        Func<IPAddress, DbConnection> connect,
        CancellationToken cancellationToken
    )
    {
        if (config.Tls == DatabaseConfig.Off && !host.AllowsPlainText)
        {
            throw new DialException(ConnectionErrors.PlainText);
        }

        using var refusal = PeerTrust.RefuseDownloads();
        for (var i = 0; ; i++)
        {
            var session = connect(host.Addresses[i]);
            try
            {
                await session.OpenAsync(cancellationToken);
                return session;
            }
            catch (Exception exception)
            {
                await session.DisposeAsync();
                if (i == host.Addresses.Count - 1 || !IsUnreachable(exception))
                {
                    throw;
                }
            }
        }
    }

    // one of the drivers has a message for it, and no cause
    public static bool IsUnreachable(Exception exception) =>
        Causes(exception).OfType<SocketException>().Any()
        || (exception is MySqlException && exception.Message.StartsWith("Unable to connect", StringComparison.Ordinal));

    public static IEnumerable<Exception> Causes(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            yield return exception;
        }
    }
}

/// <summary>Why a database could not be used, from what the drivers throw.</summary>
/// <param name="Step">Where it failed; null: at the step under way.</param>
/// <param name="MayPass">Whether the same may fare better later.</param>
internal sealed record DatabaseFault(string Code, string Message, string? Step, bool MayPass)
{
    /// <summary>Null: it is none of these, but a bug.</summary>
    public static DatabaseFault? Of(Exception exception, DatabaseConfig config, string? secret) =>
        exception switch
        {
            DialException dial => OnTheWay(dial.Code, null),
            PostgresException refused => Of(refused, config, secret),
            MySqlException refused when Of(refused, config, secret) is { } known => known,
            _ when DatabaseSession.Causes(exception).OfType<AuthenticationException>().Any() => OnTheWay(
                OutgoingErrors.TlsFailed,
                StepName.Tls
            ),
            _ when DatabaseSession.IsUnreachable(exception) => OnTheWay(OutgoingErrors.ConnectFailed, StepName.Connect),
            OperationCanceledException or TimeoutException => OnTheWay(OutgoingErrors.Timeout, null),
            // a session that breaks off under a statement
            NpgsqlException when DatabaseSession.Causes(exception).OfType<IOException>().Any() => OnTheWay(
                OutgoingErrors.ConnectionLost,
                null
            ),
            // the drivers' own words: that there is no TLS, that the protocol is another, that a parameter has no value
            DbException other => Said(other, Redaction.Of(other.Message, secret)),
            NotSupportedException other => Said(null, Redaction.Of(other.Message, secret)),
            IOException => OnTheWay(OutgoingErrors.ConnectionLost, null),
            _ => null,
        };

    private static DatabaseFault Of(PostgresException refused, DatabaseConfig config, string? secret) =>
        refused.SqlState switch
        {
            PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification => NotLetIn(
                config,
                Redaction.Of(refused.MessageText, secret)
            ),
            PostgresErrorCodes.InvalidCatalogName => NoDatabase(config),
            _ => Said(refused, $"{refused.SqlState}: {Redaction.Of(refused.MessageText, secret)}"),
        };

    private static DatabaseFault? Of(MySqlException refused, DatabaseConfig config, string? secret) =>
        refused.ErrorCode switch
        {
            MySqlErrorCode.AccessDenied => NotLetIn(config, Redaction.Of(refused.Message, secret)),
            MySqlErrorCode.UnknownDatabase => NoDatabase(config),
            MySqlErrorCode.UnableToConnectToHost or MySqlErrorCode.None => null,
            _ => Said(refused, $"{refused.Number}: {Redaction.Of(refused.Message, secret)}"),
        };

    private static DatabaseFault OnTheWay(string code, string? step) =>
        new(code, Reasons.Of(code), step, OutgoingErrors.MayPass(code));

    private static DatabaseFault Said(DbException? refused, string message) =>
        new(ConnectionErrors.StatementFailed, message, null, refused?.IsTransient is true);

    private static DatabaseFault NotLetIn(DatabaseConfig config, string said) =>
        new(
            ConnectionErrors.LoginFailed,
            $"The server does not let {config.User} in with this password ({said}).",
            StepName.Login,
            MayPass: false
        );

    private static DatabaseFault NoDatabase(DatabaseConfig config) =>
        new(ConnectionErrors.LoginFailed, $"There is no database {config.Database}.", StepName.Login, MayPass: false);
}
