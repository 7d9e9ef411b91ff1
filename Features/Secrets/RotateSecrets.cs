using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Secrets;
using MediatR;

namespace Bellhop.Features.Secrets;

/// <summary>Seals everything that is stored sealed with the first key of the ring, in all projects, while the service runs.</summary>
/// <remarks>
/// To be run when every instance has been started with the ring whose first key is the new one. May be cut off and run again.
/// Older keys are said to be of no use any more only when no row of any table needs them.
/// </remarks>
public static class RotateSecrets
{
    public sealed class Verb : CliVerb
    {
        public Verb()
            : base("secrets rotate", "Seal every stored secret anew with the first key of the key ring.") { }

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(),
                report => report.Describe(),
                report => report.IsWhole ? ExitCodes.Done : ExitCodes.Failed,
                cancellationToken
            );
    }

    public sealed record Command : IRequest<Result<Report>>;

    /// <param name="Key">The id of the key that seals.</param>
    /// <param name="RemovableKeys">Older keys that no row needs any more: their lines may leave the ring.</param>
    /// <param name="IsWhole">Whether no row is left that an older key sealed.</param>
    public sealed record Report(
        string Key,
        IReadOnlyList<ResealedColumn> Columns,
        IReadOnlyList<string> RemovableKeys,
        bool IsWhole
    )
    {
        internal string Describe() =>
            string.Join(
                '\n',
                [
                    .. Columns.SelectMany(column =>
                        column
                            .Unreadable.Select(row => $"unreadable: {row}")
                            .Prepend(
                                $"{column.Column}: {column.Resealed} sealed anew, {column.Overtaken} overtaken, "
                                    + $"{column.Unreadable.Count} unreadable"
                            )
                    ),
                    IsWhole ? $"Everything is sealed with {Key}." : "Some rows are still on older keys: run it again.",
                    .. RemovableKeys.Select(key => $"No row needs {key}: its line may leave the key ring."),
                ]
            );
    }

    internal sealed class Handler(
        IEnumerable<SealedColumn> columns,
        Resealing resealing,
        KeyRing ring,
        UnitOfWork works,
        AuditTrail audit,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command command, CancellationToken cancellationToken)
        {
            var done = new List<ResealedColumn>();
            foreach (var column in columns.OrderBy(column => $"{column}", StringComparer.Ordinal))
            {
                done.Add(await resealing.RunAsync(column, cancellationToken));
            }

            var isWhole = !done.Exists(column => column.OnOlderKeys);
            if (isWhole)
            {
                await resealing.RetireAsync(clock.GetUtcNow().UtcDateTime, cancellationToken);
            }

            var removable = ring.Keys.Skip(1).Select(key => key.Id);
            var report = new Report(ring.Active.Id, done, isWhole ? [.. removable] : [], isWhole);
            await RecordAsync(report, cancellationToken);
            return report;
        }

        // its batches are committed by then: what is recorded is that the operator had it done, and what came of it
        private async Task RecordAsync(Report report, CancellationToken cancellationToken)
        {
            await using var work = await works.OpenAsync(cancellationToken);
            var resealed = report.Columns.Sum(column => column.Resealed);
            await audit.RecordAsync(
                work.Connection,
                new AuditRecord(
                    "secrets.rotate",
                    "secrets",
                    null,
                    null,
                    new
                    {
                        report.Key,
                        Resealed = resealed,
                        report.IsWhole,
                    }
                ),
                cancellationToken
            );
            await work.CommitAsync(cancellationToken);
        }
    }
}
