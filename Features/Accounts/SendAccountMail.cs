using System.Globalization;
using System.Text.Json;
using Bellhop.Features.Connections;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Sends a one-time token, as a job of kind <c>accounts.mail</c> in the project of the connection.</summary>
/// <remarks>
/// The secret is made anew at each attempt; the last mail is the one that counts. A reset goes to the address that the account has,
/// however it was written by who asked. What is used or replaced by then, or the reset of an account that nobody has, is not sent,
/// and the job succeeds all the same.
/// </remarks>
public static class SendAccountMail
{
    internal sealed class Consumer : JobConsumer
    {
        public override string Kind => AccountMail.Kind;

        public override bool IsInternal => true;

        public override async Task<JobOutcome> RunAsync(
            IMediator mediator,
            ClaimedJob job,
            CancellationToken cancellationToken
        )
        {
            using var args = JsonDocument.Parse(job.Args);
            var command = new Command(args.RootElement.GetProperty("token_id").GetGuid());
            return (await mediator.Send(command, cancellationToken)).Unwrap().Outcome;
        }
    }

    public sealed record Command(Guid TokenId) : IRequest<Result<Report>>;

    public sealed record Report(JobOutcome Outcome);

    internal sealed class Handler(
        OneTimeTokens tokens,
        AccountMail mail,
        ConnectionCache connections,
        MailSender sender,
        Settings settings,
        UnitOfWork works,
        Caller caller
    ) : IRequestHandler<Command, Result<Report>>
    {
        private const string Subject = "Your account on Bellhop";

        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            var connection = mail.Connection is { } name
                ? await connections.FindAsync(caller.ProjectId, name, cancellationToken)
                : null;
            if (connection is not { Config: SmtpConfig config })
            {
                return Failed("unknown_connection", "Bellhop:Mail:Connection names no smtp connection.", false);
            }

            Row? row;
            string? token;
            await using (var work = await works.BeginAsync(cancellationToken))
            {
                row = await work.Connection.QuerySingleOrDefaultAsync<Row>(
                    Sql.Find.With(new { Id = request.TokenId }, cancellationToken)
                );
                token = row is null
                    ? null
                    : await tokens.MintAsync(work.Connection, request.TokenId, cancellationToken);
                await work.CommitAsync(cancellationToken);
            }

            if (row is null || token is null)
            {
                return new Report(new JobOutcome.Succeeded(null));
            }

            var domain = Mail.ParseAddress(config.From)!.Domain;
            var message = new Mail([row.Email], Subject, Compose(row, token), $"{Guid.NewGuid():N}@{domain}");
            var result = await sender.SendAsync(connection, message, cancellationToken);
            return result.IsSent
                ? new Report(new JobOutcome.Succeeded(null))
                // what a server says repeats the address, perhaps more
                : Failed("mail_refused", $"The server refused the mail ({result.Code}).", !result.IsPermanent);
        }

        private string Compose(Row row, string token)
        {
            var what = row.Purpose switch
            {
                OneTimeGrant.Invitation =>
                    $"you are invited to the project {row.Project}. If you have no account yet, choose a password; if you have one, "
                        + "accept with its password",
                _ => "somebody, you we hope, asked for a new password of your account",
            };
            var until = row.ExpiresAt.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
            var where =
                $"POST {settings.PublicUrl}/v1/auth/redeem with the JSON {{\"token\":\"…\",\"password\":\"…\"}}";
            return $"Hello,\n\n{what}.\n\nThe token: {token}\n\nSend it with the password: {where}\n\nIt works once, until {until} UTC. "
                + "If this is none of your concern, nothing is to be done.\n";
        }

        private static Report Failed(string code, string message, bool retryable) =>
            new(new JobOutcome.Failed(code, message, retryable));

        private sealed record Row(string Purpose, string Email, string? Project, DateTime ExpiresAt);
    }

    private static class Sql
    {
        // a reset is opened for whatever address is asked for: here, where nobody waits, it shows whether somebody has it
        public const string Find = """
            SELECT t.purpose, coalesce(u.email, t.email) AS email, p.name AS project, t.expires_at
            FROM one_time_tokens AS t
            LEFT JOIN projects AS p ON p.id = t.project_id
            LEFT JOIN users AS u ON t.purpose = 'reset' AND u.email_key = t.email_key AND u.disabled_at IS NULL
            WHERE t.id = @Id AND t.used_at IS NULL AND (t.purpose <> 'reset' OR u.id IS NOT NULL)
            """;
    }
}
