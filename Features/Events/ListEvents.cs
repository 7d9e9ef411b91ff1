using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Events;

/// <summary>Lists events, the newest first. Their data is shown to callers with <c>data:read</c>.</summary>
public static class ListEvents
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/events", Get)
                .RequirePermission(Permissions.EventsRead)
                .WithPagingByTime("received_at", new ListFilter("type", Example: "ticket.created"))
                .WithName(nameof(ListEvents))
                .WithTags("Events")
                .Produces<Page<ReceivedEvent>>();

        /// <summary>List events</summary>
        public static async Task<IResult> Get(HttpContext http, IMediator mediator, CancellationToken cancellationToken)
        {
            var paging = Paging.Read(http);
            if (paging.Problem is { } problem)
            {
                return new ProblemResponse(problem);
            }

            var type = http.Request.Query["type"];
            var query = new Query(paging.Unwrap(), type.Count == 0 ? null : type[0]);
            return (await mediator.Send(query, cancellationToken)).ToHttp(http);
        }
    }

    /// <param name="Type">The exact type; null: every type.</param>
    public sealed record Query(PageRequest Page, string? Type) : IRequest<Result<Page<ReceivedEvent>>>;

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<ReceivedEvent>>>
    {
        public async Task<Result<Page<ReceivedEvent>>> Handle(Query query, CancellationToken cancellationToken)
        {
            var withData = caller.May(Permissions.DataRead);
            var arguments = new
            {
                caller.ProjectId,
                query.Type,
                query.Page.From,
                query.Page.Until,
                query.Page.Take,
                WithData = withData,
            };
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<EventRow>(Choose(query).With(arguments, cancellationToken));
            ReceivedEvent[] events = [.. rows.Select(row => row.ToReceived(withData))];
            return query.Page.ToPage(events, shown => shown.Id);
        }

        private static string Choose(Query query) =>
            query.Type is null
                ? query.Page.OldestFirst
                    ? Sql.AllFromOldest
                    : Sql.All
                : query.Page.OldestFirst
                    ? Sql.OfTypeFromOldest
                    : Sql.OfType;
    }

    private static class Sql
    {
        public const string All = Rows + ListOrder.NewestFirst;
        public const string AllFromOldest = Rows + ListOrder.OldestFirst;
        public const string OfType = RowsOfType + ListOrder.NewestFirst;
        public const string OfTypeFromOldest = RowsOfType + ListOrder.OldestFirst;

        private const string Rows = """
            SELECT id, received_at, event_id, source, type, subject, time, attributes,
                CASE WHEN @WithData THEN data END AS data
            FROM events
            WHERE project_id = @ProjectId AND id >= @From AND id < @Until
            """;

        private const string RowsOfType = Rows + " AND type = @Type";
    }
}
