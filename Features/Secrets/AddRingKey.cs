using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Features.Secrets;

/// <summary>Puts a new key in front of the key ring. It seals in each process from that process's next start on.</summary>
/// <remarks>Needs no database. What older keys sealed stays readable; <c>secrets rotate</c> then moves it to the new one.</remarks>
public static class AddRingKey
{
    public sealed class Verb : CliVerb
    {
        public Verb()
            : base("secrets add-key", "Put a new key in front of the key ring; restart, then run secrets rotate.") { }

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendOfflineAsync(
                new Command(session.ReadSettings().KeyRing),
                report =>
                    $"{report.Key} was put in front of {report.KeyRing}. Restart the service, then run secrets rotate.",
                _ => ExitCodes.Done,
                cancellationToken
            );
    }

    public sealed record Command(string KeyRing) : IRequest<Result<Report>>;

    /// <param name="Key">The new key's id; never the key.</param>
    public sealed record Report(string Key, string KeyRing);

    internal sealed class Handler : IRequestHandler<Command, Result<Report>>
    {
        public Task<Result<Report>> Handle(Command command, CancellationToken cancellationToken) =>
            Task.FromResult<Result<Report>>(
                new Report(Infrastructure.Secrets.KeyRing.AddKey(command.KeyRing), command.KeyRing)
            );
    }
}
