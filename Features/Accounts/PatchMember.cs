using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Mediation;
using Carter;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Changes what a member may do in the project: the members that the merge patch names.</summary>
/// <remarks>
/// The change holds within five seconds in every process. The last owner stays one; nobody grants what he lacks, nor changes
/// somebody who can do more.
/// </remarks>
public static class PatchMember
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPatch("/v1/members/{id}", Patch)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(PatchMember))
                .WithTags("Members")
                .Produces<MemberView>()
                .ProducesProblems(AccountsProblems.LastOwner, Problems.Invalid);

        /// <summary>Change a member</summary>
        public static async Task<IResult> Patch(
            string id,
            MergePatch<MemberDocument> patch,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(NameOrId.Parse(id), patch, precondition), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _email = new("--email") { Description = "whose", Required = true };
        private readonly Option<string> _role = new("--role")
        {
            Description = string.Join(", ", Roles.Table.Keys.Order(StringComparer.Ordinal)),
            Required = true,
        };

        public Verb()
            : base("members set-role", "Give a member of the project another role.") => Add(_email, _role);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(
                    NameOrId.Parse(session.Get(_email)!),
                    MergePatch<MemberDocument>.Of(new { role = session.Get(_role) }),
                    Precondition.Any
                ),
                member => $"{member.Email} {member.Role}",
                cancellationToken
            );
    }

    public sealed record Command(NameOrId Member, MergePatch<MemberDocument> Patch, Precondition Precondition)
        : IRequest<Result<MemberView>>;

    internal sealed class Handler(
        SavedMembers members,
        IValidator<MemberDocument> rules,
        UnitOfWork works,
        Caller caller
    ) : IRequestHandler<Command, Result<MemberView>>
    {
        public async Task<Result<MemberView>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var found = await SavedMembers.LockAsync(work, caller.ProjectId, request.Member, cancellationToken);
            if (found.Problem is { } missing)
            {
                return missing;
            }

            var before = found.Unwrap();
            if ((members.CheckTouch(before) ?? request.Precondition.Check(before.ToView())) is { } refused)
            {
                return refused;
            }

            var patched = request.Patch.ApplyTo(before.ToView().ToDocument());
            if (patched.Problem is { } malformed)
            {
                return malformed;
            }

            var document = patched.Unwrap();
            var problem =
                ValidationProblem.Of(await rules.ValidateAsync(document, cancellationToken))
                ?? Granting.Check(caller, document.Role!, document.ToAccess());
            if (problem is not null)
            {
                return problem;
            }

            var saved = await members.UpdateAsync(work, before, document, cancellationToken);
            if (saved.Problem is null)
            {
                await work.CommitAsync(cancellationToken);
            }

            return saved;
        }
    }
}
