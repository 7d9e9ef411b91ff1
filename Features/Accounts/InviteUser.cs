using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using Carter;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Invites somebody into the project: by mail where a connection for that is set; the command prints the token.</summary>
/// <remarks>
/// An invitation is good for 72 hours and once. A second one for the same address replaces the first. Whether there is an
/// account with that address is not told. Nobody gives away more than he may himself, nor replaces what gives more.
/// </remarks>
public static class InviteUser
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/users/invite", Post)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(InviteUser))
                .WithTags("Users")
                .Produces<Invitation>(StatusCodes.Status201Created);

        /// <summary>Invite a user</summary>
        public static async Task<IResult> Post(
            Body<InvitationDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToHttp(made =>
                TypedResults.Created($"/v1/users/invitations/{made.Invitation.Id}", made.Invitation)
            );
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _email = new("--email") { Description = "whom", Required = true };
        private readonly Option<string> _role = new("--role")
        {
            Description = string.Join(", ", Roles.Table.Keys.Order(StringComparer.Ordinal)),
            Required = true,
        };

        public Verb()
            : base("users invite", "Invite somebody into the project; prints a one-time token.") => Add(_email, _role);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(new InvitationDocument(session.Get(_email)!, session.Get(_role)!), Prints: true),
                made => made.Token!,
                cancellationToken
            );
    }

    /// <param name="Prints">Whether the token is shown to who asks, instead of being sent.</param>
    public sealed record Command(InvitationDocument Document, bool Prints = false) : IRequest<Result<Response>>;

    public sealed record Response(Invitation Invitation, string? Token)
    {
        public override string ToString() => $"invitation {Invitation.Id}";
    }

    internal sealed class Handler(
        IValidator<InvitationDocument> rules,
        OneTimeTokens tokens,
        AccountMail mail,
        AuditTrail trail,
        UnitOfWork works,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            var document = request.Document;
            if (ValidationProblem.Of(await rules.ValidateAsync(document, cancellationToken)) is { } unsound)
            {
                return unsound;
            }

            var access = document.ToAccess();
            if (Granting.Check(caller, document.Role!, access) is { } lacking)
            {
                return lacking;
            }

            await using var work = await works.BeginAsync(cancellationToken);
            var replaced = await tokens.LockInvitationAsync(work.Connection, null, document.Email, cancellationToken);
            if (replaced.Problem is { } wider)
            {
                return wider;
            }

            var (id, expiresAt) = (
                await tokens.OpenAsync(
                    work.Connection,
                    OneTimeGrant.Invitation,
                    document.Email,
                    caller.ProjectId,
                    document.Role,
                    access,
                    cancellationToken
                )
            )!.Value;
            var token = request.Prints ? await tokens.MintAsync(work.Connection, id, cancellationToken) : null;
            var isSent = !request.Prints && await mail.EnqueueAsync(work, id, cancellationToken);
            var invitation = Invitation.Of(
                id,
                document.Email,
                document.Role!,
                access,
                clock.GetUtcNow().UtcDateTime,
                caller.Actor,
                expiresAt
            ) with
            {
                Sent = isSent,
            };
            await trail.RecordAsync(
                work.Connection,
                new AuditRecord("users.invite", $"users/{document.Email}", id, null, invitation),
                cancellationToken
            );
            await work.CommitAsync(cancellationToken);
            return new Response(invitation, token);
        }
    }
}
