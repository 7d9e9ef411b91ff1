using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Shows a member of the project, by the id of the membership or the e-mail address.</summary>
public static class GetMember
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/members/{id}", Get)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(GetMember))
                .WithTags("Members")
                .Produces<MemberView>();

        /// <summary>Get a member</summary>
        public static async Task<IResult> Get(string id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(NameOrId.Parse(id)), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(NameOrId Member) : IRequest<Result<MemberView>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller) : IRequestHandler<Query, Result<MemberView>>
    {
        public async Task<Result<MemberView>> Handle(Query request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var row = await SavedMembers.FindAsync(connection, caller.ProjectId, request.Member, cancellationToken);
            return row is null ? SavedMembers.NoMember(request.Member) : row.ToView();
        }
    }
}
