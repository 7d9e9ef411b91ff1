using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Shows an invitation into the project for as long as it is open; never its token.</summary>
public static class GetInvitation
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/users/invitations/{id:guid}", Get)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(GetInvitation))
                .WithTags("Users")
                .Produces<Invitation>();

        /// <summary>Get an open invitation</summary>
        public static async Task<IResult> Get(Guid id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(id), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(Guid Id) : IRequest<Result<Invitation>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller, TimeProvider clock)
        : IRequestHandler<Query, Result<Invitation>>
    {
        public async Task<Result<Invitation>> Handle(Query request, CancellationToken cancellationToken)
        {
            var arguments = new
            {
                caller.ProjectId,
                request.Id,
                Now = clock.GetUtcNow().UtcDateTime,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var row = await connection.QuerySingleOrDefaultAsync<InvitationRow>(
                Sql.Find.With(arguments, cancellationToken)
            );
            return row is null
                ? Problems.NotFound.Because($"There is no open invitation {request.Id}.")
                : row.ToInvitation();
        }
    }

    private static class Sql
    {
        public const string Find = """
            SELECT id, email, role, access::text AS access, created_at, created_by, expires_at
            FROM one_time_tokens
            WHERE project_id = @ProjectId AND id = @Id AND purpose = 'invitation' AND used_at IS NULL AND expires_at > @Now
            """;
    }
}
