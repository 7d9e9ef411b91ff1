using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections.Checking;

/// <summary>Opens a session with a mail server and logs in; no message is sent.</summary>
internal sealed class SmtpCheck(ServerProbe probe, Dialer dialer) : IConnectionCheck
{
    public IReadOnlyList<string> Kinds => [ConnectionKind.Smtp];

    public IEnumerable<string> StepsOf(OpenConnection connection)
    {
        var config = (SmtpConfig)connection.Config;
        string[] opening = config.Tls switch
        {
            SmtpConfig.Off => [StepName.Greeting],
            SmtpConfig.Implicit => [StepName.Tls, StepName.Greeting],
            _ => [StepName.Greeting, StepName.Tls],
        };
        return
        [
            StepName.Resolve,
            StepName.Connect,
            .. opening,
            .. config.User is null ? Array.Empty<string>() : [StepName.Login],
        ];
    }

    public async Task RunAsync(OpenConnection connection, CheckSteps steps, CancellationToken cancellationToken)
    {
        var config = (SmtpConfig)connection.Config;
        if (
            await probe.ResolveAsync(steps, Protocol.Smtp, config.Host, config.PortOrUsual, cancellationToken)
            is not { } host
        )
        {
            return;
        }

        try
        {
            using var session = await SmtpSession.OpenAsync(dialer, host, config, steps, cancellationToken);
            await SmtpSession.LoginAsync(session, config, connection.Secret, cancellationToken);
            steps.Reached(StepName.Login, $"The server lets {config.User} in.");
            await session.DisconnectAsync(quit: true, cancellationToken);
        }
        catch (Exception exception) when (SmtpFault.Of(exception, connection.Secret) is { } fault)
        {
            cancellationToken.ThrowIfCancellationRequested();
            steps.Fail(fault.Message);
        }
    }
}
