using Bellhop.Features.Events;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Sources;

/// <summary>Takes a signed webhook in as an event.</summary>
/// <remarks>
/// The raw bytes are verified in constant time before anything is parsed. What is refused is kept with its reason
/// (<see cref="Rejections"/>). A repetition is answered 202 and makes no second event.
/// </remarks>
public static class ReceiveWebhook
{
    private const string BodyMeaning = "What the sender signed, 5 MiB at most.";
    private const int MaxBytes = 5 * 1024 * 1024;

    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/in/{token}", Post)
                .AllowAnonymous()
                .CalledByForeignPrograms()
                .AddEndpointFilter<InboundGate>()
                .WithBodyLimit(MaxBytes)
                .WithName(nameof(ReceiveWebhook))
                .WithRawBody("application/json", BodyMeaning, """{"type":"ticket.created","data":{"ticket":7}}""")
                .WithRawBody(
                    "application/x-www-form-urlencoded",
                    BodyMeaning,
                    "payload=%7B%22action%22%3A%22opened%22%7D"
                )
                .WithParameter(
                    "token",
                    "The end of the source's inbound_path.",
                    $"^[0-9A-Za-z]{{{SourceCache.TokenLength}}}$",
                    SourceCache.TokenLength,
                    SourceView.Example.InboundPath["/in/".Length..]
                )
                .WithTags("Sources")
                .Produces<Response>(StatusCodes.Status202Accepted)
                .ProducesProblems(
                    SourcesProblems.BadSignature,
                    EventProblems.Conflict,
                    Problems.Invalid,
                    Problems.Busy
                );

        /// <summary>Receive a webhook</summary>
        public static async Task<IResult> Post(
            string token,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var body = await RequestBody.ReadAsync(http);
            var command = new Command(token, new InboundRequest(body, http.Request.Headers));
            var result = await mediator.Send(command, cancellationToken);
            return result.ToHttp(taken => TypedResults.Accepted((string?)null, taken));
        }
    }

    public sealed record Command(string Token, InboundRequest Request) : IRequest<Result<Response>>;

    /// <param name="Duplicate">The event was here already; <paramref name="Id"/> is the first one's.</param>
    public sealed record Response(Guid Id, bool Duplicate) : IExampled<Response>
    {
        public static Response Example => new(Story.Event, false);
    }

    internal sealed class Handler(SourceCache sources, EventLog log, Rejections rejections, TimeProvider clock)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            if (await sources.FindAsync(command.Token, cancellationToken) is not { } source)
            {
                return SourcesProblems.NoSource;
            }

            if (source.Scheme.Verify(command.Request, source.Keys, clock.GetUtcNow()) is { } bad)
            {
                await RefuseAsync(source, command.Request, bad, cancellationToken);
                return SourcesProblems.BadSignature.Because(bad.Detail);
            }

            var read = source.Scheme.Read(command.Request);
            if (read.Problem is { } unfit)
            {
                await RefuseAsync(source, command.Request, Of(unfit), cancellationToken);
                return unfit;
            }

            return await StoreAsync(source, command.Request, read.Unwrap(), cancellationToken);
        }

        private async Task<Result<Response>> StoreAsync(
            Source source,
            InboundRequest request,
            InboundEvent inbound,
            CancellationToken cancellationToken
        )
        {
            var newEvent = ToEvent(source, inbound);
            var published = await log.PublishAsync([newEvent], cancellationToken);
            if (published.Problem is { } refused)
            {
                return refused;
            }

            var appended = published.Unwrap()[0];
            switch (appended.Status)
            {
                case EventStatus.Accepted:
                    EventMetrics.Received.WithLabels("webhook").Inc();
                    Count(source, "accepted");
                    return new Response(appended.Id, false);
                case EventStatus.Duplicate:
                    Count(source, "duplicate");
                    return new Response(appended.Id, true);
                default:
                    await RefuseAsync(source, request, Of(appended.Problem!), cancellationToken);
                    return appended.Problem!;
            }
        }

        private async Task RefuseAsync(
            Source source,
            InboundRequest request,
            Rejection rejection,
            CancellationToken cancellationToken
        )
        {
            Count(source, rejection.Reason);
            await rejections.KeepAsync(source, request, rejection, cancellationToken);
        }

        private NewEvent ToEvent(Source source, InboundEvent inbound)
        {
            var receipt = EventReceipt.Now(source.ProjectId, clock);
            return new NewEvent
            {
                ProjectId = receipt.ProjectId,
                Id = receipt.Id,
                ReceivedAt = receipt.ReceivedAt,
                TraceParent = receipt.TraceParent,
                Source = source.Name,
                SourceId = source.Id,
                EventId = inbound.Id,
                Type = inbound.Type,
                Time = inbound.Time,
                Data = inbound.Data,
            };
        }

        private static Rejection Of(Problem problem) => new(problem.Kind.Code, problem.Detail);

        private static void Count(Source source, string outcome) =>
            InboundMetrics.Received.WithLabels(source.Scheme.Name, outcome).Inc();
    }
}
