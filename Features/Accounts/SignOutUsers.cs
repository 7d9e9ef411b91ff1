using System.CommandLine;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Ends all that one user, or every user, is signed in with: sessions at once, tokens within five seconds.</summary>
public static class SignOutUsers
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<string?> _email = new("--email") { Description = "whom" };
        private readonly Option<bool> _all = new("--all") { Description = "everybody" };

        public Verb()
            : base("users sign-out", "End all that a user, or everybody, is signed in with.") => Add(_email, _all);

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(session.Get(_email), session.Get(_all)),
                done => $"{done.Users}",
                cancellationToken
            );
    }

    public sealed record Command(string? Email, bool All) : IRequest<Result<Report>>;

    /// <param name="Users">So many were signed out.</param>
    public sealed record Report(int Users);

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() =>
            RuleFor(command => command.Email)
                .Must((command, email) => email is null == command.All)
                .WithErrorCode("required")
                .WithMessage("Say --email or --all.");
    }

    internal sealed class Handler(Sessions sessions, AccountAudit audit, KnownUsers users, UnitOfWork works)
        : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var key = request.Email is null ? null : EmailAddress.KeyOf(request.Email);
            var found = (
                await work.Connection.QueryAsync<Row>(Sql.Find.With(new { EmailKey = key }, cancellationToken))
            ).AsList();
            if (found.Count == 0 && request.Email is not null)
            {
                return Problems.NotFound.Because($"There is no user {request.Email}.");
            }

            foreach (var user in found)
            {
                await sessions.EndAllAsync(work.Connection, user.Id, null, cancellationToken);
                await audit.RecordByCallerAsync(
                    work.Connection,
                    user.Id,
                    user.Email,
                    "users.sign_out",
                    cancellationToken
                );
                work.AfterCommit(() => users.Forget(user.Id));
            }

            await work.CommitAsync(cancellationToken);
            return new Report(found.Count);
        }

        private sealed record Row(Guid Id, string Email);
    }

    private static class Sql
    {
        // in one order, or two of these could wait for each other
        public const string Find = """
            SELECT id, email FROM users WHERE @EmailKey::text IS NULL OR email_key = @EmailKey ORDER BY id
            """;
    }
}
