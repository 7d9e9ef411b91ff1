using System.CommandLine;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Prints a one-time token by which a user sets a new password. Good for an hour and once.</summary>
public static class ResetPassword
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _email = new("--email") { Description = "whose", Required = true };

        public Verb()
            : base("users reset-password", "Print a one-time token by which a user sets a new password.") =>
            Add(_email);

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(new Command(session.Get(_email)!), made => made.Token, cancellationToken);
    }

    public sealed record Command(string Email) : IRequest<Result<Response>>;

    /// <param name="Token">To be given to <c>POST /v1/auth/redeem</c> with a password.</param>
    public sealed record Response(string Token, DateTime ExpiresAt)
    {
        public override string ToString() => "a one-time token";
    }

    internal sealed class Handler(OneTimeTokens tokens, AccountAudit audit, UnitOfWork works)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var user = await work.Connection.QuerySingleOrDefaultAsync<Row>(
                Sql.Find.With(new { EmailKey = EmailAddress.KeyOf(request.Email) }, cancellationToken)
            );
            if (user is null)
            {
                return Problems.NotFound.Because($"There is no user {request.Email}.");
            }

            var (id, expiresAt) = (
                await tokens.OpenAsync(
                    work.Connection,
                    OneTimeGrant.Reset,
                    user.Email,
                    null,
                    null,
                    null,
                    cancellationToken
                )
            )!.Value;
            var token = (await tokens.MintAsync(work.Connection, id, cancellationToken))!;
            await audit.RecordByCallerAsync(
                work.Connection,
                user.Id,
                user.Email,
                "users.reset_password",
                cancellationToken
            );
            await work.CommitAsync(cancellationToken);
            return new Response(token, expiresAt);
        }

        private sealed record Row(Guid Id, string Email);
    }

    private static class Sql
    {
        public const string Find = "SELECT id, email FROM users WHERE email_key = @EmailKey";
    }
}
