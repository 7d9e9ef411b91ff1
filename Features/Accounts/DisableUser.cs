using System.CommandLine;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Shuts a user out of everything: sessions and tokens are over at once, and no password is right any more.</summary>
public static class DisableUser
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _email = new("--email") { Description = "whom", Required = true };

        public Verb()
            : base("users disable", "Shut a user out of everything, at once.") => Add(_email);

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(new Command(session.Get(_email)!), done => done.Email, cancellationToken);
    }

    public sealed record Command(string Email) : IRequest<Result<Report>>;

    public sealed record Report(Guid Id, string Email);

    internal sealed class Handler(
        Sessions sessions,
        AccountAudit audit,
        KnownUsers users,
        UnitOfWork works,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var arguments = new { EmailKey = EmailAddress.KeyOf(request.Email), Now = clock.GetUtcNow().UtcDateTime };
            var user = await work.Connection.QuerySingleOrDefaultAsync<Report>(
                Sql.Set.With(arguments, cancellationToken)
            );
            if (user is null)
            {
                return Problems.NotFound.Because($"There is no user {request.Email}.");
            }

            await sessions.EndAllAsync(work.Connection, user.Id, null, cancellationToken);
            await audit.RecordByCallerAsync(work.Connection, user.Id, user.Email, "users.disable", cancellationToken);
            work.AfterCommit(() => users.Forget(user.Id));
            await work.CommitAsync(cancellationToken);
            return user;
        }
    }

    private static class Sql
    {
        public const string Set = """
            UPDATE users
            SET disabled_at = coalesce(disabled_at, @Now), updated_at = @Now
            WHERE email_key = @EmailKey
            RETURNING id, email
            """;
    }
}
