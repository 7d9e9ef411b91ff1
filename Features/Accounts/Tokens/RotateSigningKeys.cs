using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Signs access tokens with the next key from now on, and publishes the one after it.</summary>
/// <remarks>
/// A duty does it every 30 days (<c>Bellhop:Tokens:RotateDays</c>). Tokens of the key before stay good until they end; where it
/// leaked, its belief is ended as well and every process rejects what it signed within a minute.
/// </remarks>
public static class RotateSigningKeys
{
    internal sealed class Beat(IServiceScopeFactory scopes, TimeProvider clock, ILogger<Beat> logger)
        : Timer<Command, Report>(scopes, clock, logger)
    {
        protected override TimeSpan Interval => TimeSpan.FromHours(1);
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<bool> _revoke = new("--revoke-previous")
        {
            Description = "reject what earlier keys signed at once, as when one of them leaked",
        };

        public Verb()
            : base("tokens rotate-key", "Sign access tokens with the next key from now on.") => Add(_revoke);

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command { Now = true, RevokesPrevious = session.Get(_revoke) },
                report => $"Tokens are signed with {report.Current} now; the next key is {report.Next}.",
                cancellationToken
            );
    }

    /// <summary>Where it is not said to be done now, it is done when the current key is old enough.</summary>
    public sealed record Command : IRequest<Result<Report>>
    {
        public bool Now { get; init; }

        public bool RevokesPrevious { get; init; }
    }

    /// <param name="Rotated">Whether the current key is another one than before.</param>
    public sealed record Report(bool Rotated, string Current, string Next, int Removed);

    internal sealed class Handler(
        UnitOfWork works,
        SigningKeys keys,
        Caller caller,
        AuditTrail audit,
        Settings settings,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command command, CancellationToken cancellationToken)
        {
            var now = clock.GetUtcNow().UtcDateTime;
            await using var work = await works.BeginAsync(cancellationToken);
            await keys.EnsureAsync(work.Connection, cancellationToken); // and nobody else does anything until this ends
            var arguments = new
            {
                Now = now,
                DueBefore = command.Now ? now.AddDays(1) : now.AddDays(-settings.TokenRotateDays),
                RetiresAt = now + TokenLife.PreviousKey,
                command.RevokesPrevious,
            };
            var rotated = await work.Connection.ExecuteAsync(Sql.Retire.With(arguments, cancellationToken)) == 1;
            if (rotated)
            {
                await work.Connection.ExecuteAsync(Sql.Promote.With(arguments, cancellationToken));
                await keys.EnsureAsync(work.Connection, cancellationToken);
            }

            var removed = await work.Connection.ExecuteAsync(Sql.Remove.With(arguments, cancellationToken));
            var (current, next) = await work.Connection.QuerySingleAsync<(string, string)>(
                Sql.Show.With(null, cancellationToken)
            );
            if (caller.IsKnown && (rotated || removed > 0))
            {
                await audit.RecordAsync(
                    work.Connection,
                    new AuditRecord(
                        "signing-keys.rotate",
                        $"signing-keys/{current}",
                        null,
                        After: new { Current = current, command.RevokesPrevious }
                    ),
                    cancellationToken
                );
            }

            work.AfterCommit(keys.Forget);
            await work.CommitAsync(cancellationToken);
            return new Report(rotated, current, next, removed);
        }
    }

    private static class Sql
    {
        public const string Retire = """
            UPDATE signing_keys
            SET state = 'previous', retires_at = @RetiresAt
            WHERE state = 'current' AND activated_at < @DueBefore
            """;

        public const string Promote =
            "UPDATE signing_keys SET state = 'current', activated_at = @Now WHERE state = 'next'";

        public const string Remove = """
            DELETE FROM signing_keys WHERE state = 'previous' AND (@RevokesPrevious OR retires_at <= @Now)
            """;

        public const string Show = """
            SELECT (SELECT kid FROM signing_keys WHERE state = 'current'), (SELECT kid FROM signing_keys WHERE state = 'next')
            """;
    }
}
