using System.Data;
using System.Data.Common;
using Bellhop.Features.Jobs;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Outgoing;
using MySqlConnector;
using Npgsql;

namespace Bellhop.Features.Connections;

/// <summary>Executes statements on outside databases as work of a job, each in one transaction in a session of its own.</summary>
/// <remarks>
/// At least once: a process may die, or a connection break, between the server's commit and the note of it here. A statement that
/// must have its effect once keeps <c>@job_id</c> beside it; one that must not overwrite what a later execution of its job wrote
/// compares <c>@claim_no</c>. Faults of the network, and what a driver calls transient (a deadlock, a failed serialization, a server
/// that starts), are tried again; what the server says of the statement is final. A statement that is cancelled, or whose time is
/// over, is cancelled on the server.
/// </remarks>
public sealed class SqlCalls(ConnectionCache connections, NamedSecrets secrets, Dialer dialer, TimeProvider clock)
{
    /// <param name="projectId">Whose connection and secrets they are.</param>
    /// <param name="call">A sound one.</param>
    /// <param name="jobId">What it is executed for.</param>
    /// <param name="claimNo">The fence of this execution.</param>
    /// <param name="log">Takes what a PostgreSQL server has to say while it executes, such as by RAISE; without the secrets.</param>
    /// <param name="cancellationToken">Ends it, and the statement on the server.</param>
    /// <returns>Its result is what <see cref="SqlOutput"/> writes.</returns>
    public async Task<JobOutcome> ExecuteAsync(
        Guid projectId,
        SqlCall call,
        Guid jobId,
        long claimNo,
        JobLog log,
        CancellationToken cancellationToken
    )
    {
        var connection = await connections.FindAsync(projectId, call.Connection!, cancellationToken);
        if (connection is null)
        {
            return Refuse("unknown_connection", $"There is no connection {call.Connection} in this project.");
        }

        if (connection.Config is not DatabaseConfig config)
        {
            return Refuse(
                "wrong_connection_kind",
                $"The connection {call.Connection} is of kind {connection.Kind}; statements go by postgresql or mysql."
            );
        }

        var parameters = await SqlParameters.OpenAsync(secrets, projectId, call, jobId, claimNo, cancellationToken);
        if (parameters.Missing is { } missing)
        {
            return Refuse("unknown_secret", $"There is no secret {missing} in this project.");
        }

        var mask = new Mask([.. parameters.Secrets, connection.Secret ?? ""]);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(call.TimeoutSeconds), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            await using var session = await OpenAsync(connection, config, either.Token);
            if (session is NpgsqlConnection postgreSql)
            {
                postgreSql.Notice += (_, told) => log.Write(LevelOf(told.Notice), mask.Apply(told.Notice.MessageText));
            }

            return new JobOutcome.Succeeded(await ExecuteAsync(session, call, parameters, mask, either.Token));
        }
        catch (Exception) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return new JobOutcome.Failed(
                OutgoingErrors.Timeout,
                FormattableString.Invariant($"It was not done within {call.TimeoutSeconds} s, and was cancelled.")
            );
        }
        catch (Exception exception)
            when (!cancellationToken.IsCancellationRequested
                && DatabaseFault.Of(exception, config, connection.Secret) is { } known
            )
        {
            return new JobOutcome.Failed(known.Code, mask.ApplyToCut(known.Message), known.MayPass);
        }
    }

    private async Task<DbConnection> OpenAsync(
        OpenConnection connection,
        DatabaseConfig config,
        CancellationToken cancellationToken
    )
    {
        var protocol = DatabaseSession.ProtocolOf(connection);
        var port = config.Port ?? protocol.Ports[0];
        var check = await dialer.CheckAsync(protocol, config.Host, port, cancellationToken);
        var host = check.Host ?? throw new DialException(check.ErrorCode!);
        return await DatabaseSession.OpenAsync(host, connection, SessionWatch.None, cancellationToken);
    }

    private static async Task<string> ExecuteAsync(
        DbConnection session,
        SqlCall call,
        SqlParameters parameters,
        Mask mask,
        CancellationToken cancellationToken
    )
    {
        // PostgreSQL takes what comes in one message as one transaction, and has statements that want none around them
        await using var transaction =
            session is MySqlConnection ? await session.BeginTransactionAsync(cancellationToken) : null;
        await using var command = session.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = call.Statement;
        command.CommandTimeout = 0; // the call has its own
        parameters.AddTo(command);
        if (command is NpgsqlCommand postgreSql)
        {
            postgreSql.AllResultTypesAreUnknown = true; // every type has a text, also those that the driver does not know
        }

        string result;
        await using (var reader = await command.ExecuteReaderAsync(CommandBehavior.SequentialAccess, cancellationToken))
        {
            result = await new SqlOutput(call.MaxRows, mask).WriteAsync(reader, cancellationToken);
        }

        if (transaction is not null)
        {
            await transaction.CommitAsync(cancellationToken);
        }

        return result;
    }

    private static JobLogLevel LevelOf(PostgresNotice notice) =>
        notice.InvariantSeverity == "WARNING" ? JobLogLevel.Warning : JobLogLevel.Info;

    private static JobOutcome.Failed Refuse(string code, string message) => new(code, message, Retryable: false);
}
