using System.Data.Common;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections.Checking;

/// <summary>Logs in to a database and asks for its version; nothing is read of its tables.</summary>
internal sealed class DatabaseCheck(ServerProbe probe) : IConnectionCheck
{
    public IReadOnlyList<string> Kinds => [ConnectionKind.PostgreSql, ConnectionKind.MySql];

    // when they are connected only one of the drivers says, and only with TLS
    public IEnumerable<string> StepsOf(OpenConnection connection) =>
        (connection.Kind, ((DatabaseConfig)connection.Config).Tls) switch
        {
            (_, DatabaseConfig.Off) => [StepName.Resolve, StepName.Login, StepName.Query],
            (ConnectionKind.MySql, _) => [StepName.Resolve, StepName.Tls, StepName.Login, StepName.Query],
            _ => [StepName.Resolve, StepName.Connect, StepName.Tls, StepName.Login, StepName.Query],
        };

    public async Task RunAsync(OpenConnection connection, CheckSteps steps, CancellationToken cancellationToken)
    {
        var config = (DatabaseConfig)connection.Config;
        var protocol = DatabaseSession.ProtocolOf(connection);
        var port = config.Port ?? protocol.Ports[0];
        if (await probe.ResolveAsync(steps, protocol, config.Host, port, cancellationToken) is not { } host)
        {
            return;
        }

        try
        {
            await using var session = await DatabaseSession.OpenAsync(host, connection, steps, cancellationToken);
            steps.Reached(StepName.Login, $"The server lets {config.User} into {config.Database}.");
            await AskAsync(
                session,
                protocol == Protocol.MySql ? MySqlSession.Question : PostgreSqlSession.Question,
                steps,
                cancellationToken
            );
        }
        catch (Exception exception) when (DatabaseFault.Of(exception, config, connection.Secret) is { } fault)
        {
            cancellationToken.ThrowIfCancellationRequested();
            steps.Fail(fault.Message, fault.Step);
        }
    }

    private static async Task AskAsync(
        DbConnection session,
        string question,
        CheckSteps steps,
        CancellationToken cancellationToken
    )
    {
        await using var command = session.CreateCommand();
        command.CommandText = question;
        await using var answer = await command.ExecuteReaderAsync(cancellationToken);
        await answer.ReadAsync(cancellationToken);
        var access = answer.GetBoolean(1) ? "read only" : "not read only";
        steps.Reached(StepName.Query, $"It is {answer.GetString(0)}, {access}.");
    }
}
