using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Removes a member from the project; the account stays, and so do the keys and the configuration that the member made.</summary>
/// <remarks>Holds within five seconds in every process. The last owner stays; nobody removes somebody who can do more.</remarks>
public static class RemoveMember
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapDelete("/v1/members/{id}", Delete)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(RemoveMember))
                .WithTags("Members")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblems(AccountsProblems.LastOwner);

        /// <summary>Remove a member</summary>
        public static async Task<IResult> Delete(
            string id,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(NameOrId.Parse(id), precondition), cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _email = new("--email") { Description = "whom", Required = true };

        public Verb()
            : base("members remove", "Remove a member from the project.") => Add(_email);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(NameOrId.Parse(session.Get(_email)!), Precondition.Any),
                removed => removed.Email,
                cancellationToken
            );
    }

    public sealed record Command(NameOrId Member, Precondition Precondition) : IRequest<Result<MemberView>>;

    internal sealed class Handler(SavedMembers members, UnitOfWork works, Caller caller)
        : IRequestHandler<Command, Result<MemberView>>
    {
        public async Task<Result<MemberView>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var found = await SavedMembers.LockAsync(work, caller.ProjectId, request.Member, cancellationToken);
            if (found.Problem is { } missing)
            {
                return missing;
            }

            var member = found.Unwrap();
            var problem =
                members.CheckTouch(member)
                ?? request.Precondition.Check(member.ToView())
                ?? await members.RemoveAsync(work, caller.ProjectId, member, "members.remove", cancellationToken);
            if (problem is not null)
            {
                return problem;
            }

            await work.CommitAsync(cancellationToken);
            return member.ToView();
        }
    }
}
