using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Events;

/// <summary>Shows one event. Its data is shown to callers with <c>data:read</c>.</summary>
public static class GetEvent
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/events/{id:guid}", Get)
                .RequirePermission(Permissions.EventsRead)
                .WithName(nameof(GetEvent))
                .WithTags("Events")
                .Produces<ReceivedEvent>();

        /// <summary>Get an event</summary>
        public static async Task<IResult> Get(Guid id, IMediator mediator, CancellationToken cancellationToken)
        {
            var result = await mediator.Send(new Query(id), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Query(Guid Id) : IRequest<Result<ReceivedEvent>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<ReceivedEvent>>
    {
        public async Task<Result<ReceivedEvent>> Handle(Query query, CancellationToken cancellationToken)
        {
            var withData = caller.May(Permissions.DataRead);
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var row = await connection.QuerySingleOrDefaultAsync<EventRow>(
                Sql.Find.With(
                    new
                    {
                        caller.ProjectId,
                        query.Id,
                        WithData = withData,
                    },
                    cancellationToken
                )
            );
            return row is null ? Problems.NotFound.Because($"There is no event {query.Id}.") : row.ToReceived(withData);
        }
    }

    private static class Sql
    {
        public const string Find = """
            SELECT id, received_at, event_id, source, type, subject, time, attributes,
                CASE WHEN @WithData THEN data END AS data
            FROM events
            WHERE project_id = @ProjectId AND id = @Id
            """;
    }
}
