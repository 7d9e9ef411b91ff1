using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Events;

/// <summary>Tells what became of an event: its runs with their steps and jobs, its deliveries, and the events those runs caused.</summary>
/// <remarks>
/// In the order in which it happened, to the millisecond; what has the same time stands cause before effect. Caused events are
/// followed to depth 8. The first 1,000 items are told.
/// </remarks>
public static class GetTimeline
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/events/{id:guid}/timeline", Get)
                .RequirePermission(Permissions.EventsRead)
                .WithName(nameof(GetTimeline))
                .WithTags("Events")
                .WithPaging()
                .Produces<Page<Response>>();

        /// <summary>Get the timeline of an event</summary>
        public static async Task<IResult> Get(
            Guid id,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var page = Paging.Read(http);
            return page.Problem is { } problem
                ? new ProblemResponse(problem)
                : (await mediator.Send(new Query(id, page.Unwrap()), cancellationToken)).ToHttp(http);
        }
    }

    public sealed record Query(Guid Id, PageRequest Page) : IRequest<Result<Page<Response>>>;

    /// <param name="Kind"><c>event</c>, <c>run</c>, <c>step</c>, <c>job</c>, <c>delivery</c> or <c>attempt</c>.</param>
    /// <param name="Id">Of a step <c>{run}/{step}</c>, of an attempt <c>{delivery or job}/{number}</c>.</param>
    /// <param name="ParentId">What caused it.</param>
    /// <param name="Name">The event's type, the automation, the step, the job's kind, the endpoint.</param>
    /// <param name="Error">An object with a <c>code</c>.</param>
    public sealed record Response(
        DateTime At,
        [property: AllowedValues("event", "run", "step", "job", "delivery", "attempt")] string Kind,
        [property: MaxLength(255)] string Id,
        [property: MaxLength(255)] string? ParentId,
        [property: MaxLength(255)] string Name,
        [property: MaxLength(63)] string State,
        [property: AnyObject] JsonElement? Error
    ) : IExampled<Response>
    {
        public static Response Example =>
            new(Story.At, "run", $"{Story.Run}", $"{Story.Event}", Story.Name, "succeeded", null);
    }

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<Page<Response>>>
    {
        public async Task<Result<Page<Response>>> Handle(Query request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await Timeline.ReadAsync(
                connection,
                caller,
                request.Id,
                TimelinePlace.Parse(request.Page.After),
                request.Page.Limit + 1,
                cancellationToken
            );
            var told = rows.AsList();
            if (told.Count == 0 && request.Page.After is null)
            {
                return Problems.NotFound.Because($"There is no event {request.Id}.");
            }

            var page = request.Page.ToPage(told, row => row.Place.ToString());
            return new Page<Response>([.. page.Items.Select(ToResponse)], page.NextCursor);
        }

        private static Response ToResponse(TimelineRow row) =>
            new(
                row.At,
                row.Kind,
                row.Id,
                row.ParentId,
                row.Name,
                row.State,
                row.Error is null ? null : JsonElement.Parse(row.Error)
            );
    }
}
