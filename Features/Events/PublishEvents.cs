using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Http.RateLimits;
using Carter;
using MediatR;

namespace Bellhop.Features.Events;

/// <summary>Takes in up to 1,000 events with one request; each is accepted or refused by itself.</summary>
/// <remarks>Answered after the commit. What is wrong with one event is said in its result and keeps no other one out.</remarks>
public static class PublishEvents
{
    private const int MaxBytes = 10 * 1024 * 1024;

    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/events/batch", Post)
                .RequirePermission(Permissions.EventsPublish)
                .WithoutIdempotencyKey()
                .WithBodyLimit(MaxBytes)
                .InBucket(RateBucket.Bulk)
                .WithName(nameof(PublishEvents))
                .WithTags("Events")
                .Accepts<PlainEvents>("application/json", CloudEventReader.BatchType)
                .WithBodyOf<CloudEvents>(CloudEventReader.BatchType)
                .Produces<Response>(StatusCodes.Status202Accepted)
                .ProducesProblems(Problems.Busy);

        /// <summary>Publish many events</summary>
        public static async Task<IResult> Post(
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var body = await RequestBody.ReadAsync(http);
            var request = new EventRequest(body, http.Request.ContentType);
            var result = await mediator.Send(new Command(request), cancellationToken);
            return result.ToHttp(taken => TypedResults.Accepted((string?)null, taken));
        }
    }

    public sealed record Command(EventRequest Request) : IRequest<Result<Response>>;

    /// <param name="Results">One an event, in the order of the request.</param>
    public sealed record Response(
        [property: MaxLength(EventBatchReader.MaxEvents)] IReadOnlyList<PublishedEvent> Results
    ) : IExampled<Response>
    {
        public static Response Example => new([new PublishedEvent(0, Story.Event, "accepted", null)]);
    }

    internal sealed class Handler(EventLog log, Caller caller, TimeProvider clock)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            var read = EventBatchReader.Read(command.Request, EventReceipt.Now(caller.ProjectId, clock));
            if (read.Problem is { } fault)
            {
                return fault;
            }

            var results = read.Unwrap();
            var sound = results.FindAll(result => result.Problem is null).ConvertAll(result => result.Unwrap());
            var published = await log.PublishAsync(sound, cancellationToken);
            if (published.Problem is { } refused)
            {
                return refused;
            }

            var appended = published.Unwrap();
            EventMetrics.Received.WithLabels("batch").Inc(appended.Count(one => one.Status == EventStatus.Accepted));
            return new Response(Merge(results, appended));
        }

        private static List<PublishedEvent> Merge(List<Result<NewEvent>> results, IReadOnlyList<AppendedEvent> appended)
        {
            var merged = new List<PublishedEvent>(results.Count);
            var next = 0;
            foreach (var result in results)
            {
                merged.Add(
                    result.Problem is { } fault
                        ? PublishedEvent.Rejected(merged.Count, fault)
                        : PublishedEvent.Of(merged.Count, appended[next++])
                );
            }

            return merged;
        }
    }
}
