using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Features.System;

/// <summary>Brings the database to what this binary expects, and says what it took.</summary>
public static class Migrate
{
    public sealed class Verb : CliVerb
    {
        public Verb()
            : base("migrate", "Bring the database up to date, without starting the service.") { }

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(),
                report =>
                    report.Applied.Count == 0
                        ? $"The schema is up to date ({report.Schema})."
                        : string.Join('\n', report.Applied.Select(name => $"applied {name}")),
                cancellationToken
            );
    }

    public sealed record Command : IRequest<Result<Report>>;

    /// <param name="Applied">What ran now, in order.</param>
    /// <param name="Schema">The newest migration there is.</param>
    public sealed record Report(IReadOnlyList<string> Applied, string Schema);

    // the storage was brought up to date when it was opened: no process sees another one
    internal sealed class Handler(Storage storage) : IRequestHandler<Command, Result<Report>>
    {
        public Task<Result<Report>> Handle(Command command, CancellationToken cancellationToken) =>
            Task.FromResult<Result<Report>>(new Report(storage.Applied, Migrations.Names[^1]));
    }
}
