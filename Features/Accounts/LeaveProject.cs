using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Ends the membership of the user who calls, whatever his role; but the last owner stays.</summary>
/// <remarks>The keys and the configuration that he made stay too.</remarks>
public static class LeaveProject
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/projects/{id}/leave", Post)
                .RequireUser()
                .WithName(nameof(LeaveProject))
                .WithTags("Projects")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblems(AccountsProblems.LastOwner);

        /// <summary>Leave a project</summary>
        public static async Task<IResult> Post(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Command(NameOrId.Parse(id)), cancellationToken);
            return result.ToHttp(_ => TypedResults.NoContent());
        }
    }

    public sealed record Command(NameOrId Project) : IRequest<Result<Unit>>;

    internal sealed class Handler(SavedProjects projects, SavedMembers members, UnitOfWork works)
        : IRequestHandler<Command, Result<Unit>>
    {
        public async Task<Result<Unit>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var project = await projects.LockAsync(work, request.Project, permission: null, cancellationToken);
            if (project.Problem is { } refused)
            {
                return refused;
            }

            var (id, membership) = (project.Unwrap().Id, project.Unwrap().MemberId!.Value);
            var own = await SavedMembers.LockAsync(work, id, NameOrId.Parse($"{membership}"), cancellationToken);
            var problem =
                own.Problem ?? await members.RemoveAsync(work, id, own.Unwrap(), "members.leave", cancellationToken);
            if (problem is not null)
            {
                return problem;
            }

            await work.CommitAsync(cancellationToken);
            return Unit.Value;
        }
    }
}
