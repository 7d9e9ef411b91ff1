using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Prints a one-time token by which somebody becomes owner of the project: there is no account that is there from the start.</summary>
/// <remarks>
/// Good for an hour and once. Where there is an account with that address, it gets a new password too, and what is signed in with
/// the old one is over: whoever may run this may do everything anyway.
/// </remarks>
public static class CreateOwner
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _email = new("--email") { Description = "whose", Required = true };

        public Verb()
            : base("users create-owner", "Print a one-time token that makes somebody owner of the project.") =>
            Add(_email);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(new Command(session.Get(_email)!), made => made.Token, cancellationToken);
    }

    public sealed record Command(string Email) : IRequest<Result<Response>>;

    /// <param name="Token">To be given to <c>POST /v1/auth/redeem</c> with a password.</param>
    public sealed record Response(string Token, DateTime ExpiresAt)
    {
        public override string ToString() => "a one-time token";
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() => RuleFor(command => command.Email).IsEmail();
    }

    internal sealed class Handler(OneTimeTokens tokens, AuditTrail trail, UnitOfWork works, Caller caller)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var (id, expiresAt) = (
                await tokens.OpenAsync(
                    work.Connection,
                    OneTimeGrant.Owner,
                    request.Email,
                    caller.ProjectId,
                    Roles.Owner,
                    Access.Unlimited,
                    cancellationToken
                )
            )!.Value;
            var token = (await tokens.MintAsync(work.Connection, id, cancellationToken))!;
            await trail.RecordAsync(
                work.Connection,
                new AuditRecord("users.invite", $"users/{request.Email}", id, null, new { role = Roles.Owner }),
                cancellationToken
            );
            await work.CommitAsync(cancellationToken);
            return new Response(token, expiresAt);
        }
    }
}
