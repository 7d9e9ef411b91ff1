using System.CommandLine;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Lets a user who was shut out in again, with the password he had.</summary>
public static class EnableUser
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _email = new("--email") { Description = "whom", Required = true };

        public Verb()
            : base("users enable", "Let a user who was shut out in again.") => Add(_email);

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(new Command(session.Get(_email)!), done => done.Email, cancellationToken);
    }

    public sealed record Command(string Email) : IRequest<Result<Report>>;

    public sealed record Report(Guid Id, string Email);

    internal sealed class Handler(AccountAudit audit, KnownUsers users, UnitOfWork works, TimeProvider clock)
        : IRequestHandler<Command, Result<Report>>
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

            await audit.RecordByCallerAsync(work.Connection, user.Id, user.Email, "users.enable", cancellationToken);
            work.AfterCommit(() => users.Forget(user.Id));
            await work.CommitAsync(cancellationToken);
            return user;
        }
    }

    private static class Sql
    {
        public const string Set = """
            UPDATE users
            SET disabled_at = NULL, updated_at = @Now
            WHERE email_key = @EmailKey
            RETURNING id, email
            """;
    }
}
