using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Idempotency;
using Carter;
using MediatR;

namespace Bellhop.Features.Events;

/// <summary>Takes in one event, and with it everything it causes.</summary>
/// <remarks>
/// Answered after the commit. (source, id) names an event: sent again it is answered with the first one's id and causes nothing;
/// sent again with other content it is refused.
/// </remarks>
public static class PublishEvent
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/events", Post)
                .RequirePermission(Permissions.EventsPublish)
                .WithoutIdempotencyKey()
                .WithName(nameof(PublishEvent))
                .WithTags("Events")
                // any type: in binary mode the body is the data
                .Accepts<PlainEvent>("application/json", CloudEventReader.StructuredType, "*/*")
                .WithBodyOf<PlainEvent>("application/json")
                .WithBodyOf<CloudEvent>("application/json")
                .WithBodyOf<CloudEvent>(CloudEventReader.StructuredType)
                .WithRawBody("*/*", "The data alone, 256 KiB at most; the attributes are ce- headers.", "Where is it?")
                .Produces<Response>(StatusCodes.Status202Accepted)
                .ProducesProblems(EventProblems.Conflict, Problems.Invalid, Problems.Busy);

        /// <summary>Publish an event</summary>
        public static async Task<IResult> Post(
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var body = await RequestBody.ReadAsync(http);
            var request = new EventRequest(body, http.Request.ContentType, http.Request.Headers);
            var result = await mediator.Send(new Command(request), cancellationToken);
            return result.ToHttp(taken => TypedResults.Accepted($"/v1/events/{taken.Id}", taken));
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string?> _type = new("--type") { Description = "what happened: ticket.created" };
        private readonly Option<string?> _source = new("--source") { Description = "where it happened: shop" };
        private readonly Option<string?> _subject = new("--subject") { Description = "what it is about" };
        private readonly Option<string?> _id = new("--id") { Description = "its name within the source" };
        private readonly Option<string?> _data = new("--data") { Description = "what was sent along, as JSON" };
        private readonly Option<FileInfo?> _file = new("--file") { Description = "a file that holds the whole event" };

        public Verb()
            : base("events send", "Publish an event.") => Add(_type, _source, _subject, _id, _data, _file);

        public override bool TakesProject => true;

        public override async Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            try
            {
                var body = session.Get(_file) is { } file
                    ? await File.ReadAllBytesAsync(file.FullName, cancellationToken)
                    : Compose(session);
                return await session.SendAsync(
                    new Command(new EventRequest(body)),
                    taken => taken.Duplicate ? $"{taken.Id} (was here already)" : taken.Id.ToString(),
                    cancellationToken
                );
            }
            catch (FileNotFoundException exception)
            {
                throw new StartException(ExitCodes.Usage, exception.Message, exception);
            }
        }

        private byte[] Compose(CliSession session)
        {
            var members = new JsonObject();
            foreach (var option in new[] { _type, _source, _subject, _id })
            {
                if (session.Get(option) is { } value)
                {
                    members[option.Name[2..]] = value;
                }
            }

            if (session.Get(_data) is { } data)
            {
                try
                {
                    members["data"] = JsonNode.Parse(data);
                }
                catch (JsonException exception)
                {
                    throw new StartException(ExitCodes.Usage, $"--data is not JSON: {exception.Message}", exception);
                }
            }

            return JsonSerializer.SerializeToUtf8Bytes(members, JsonRules.Options);
        }
    }

    public sealed record Command(EventRequest Request) : IRequest<Result<Response>>;

    /// <param name="Duplicate">The event was here already; <paramref name="Id"/> is the first one's.</param>
    public sealed record Response(Guid Id, bool Duplicate) : IExampled<Response>
    {
        public static Response Example => new(Story.Event, false);
    }

    internal sealed class Handler(EventLog log, Caller caller, TimeProvider clock)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            var read = CloudEventReader.Read(command.Request, EventReceipt.Now(caller.ProjectId, clock));
            if (read.Problem is { } fault)
            {
                return fault;
            }

            var published = await log.PublishAsync([read.Unwrap()], cancellationToken);
            if (published.Problem is { } refused)
            {
                return refused;
            }

            var appended = published.Unwrap()[0];
            if (appended.Problem is { } unfit)
            {
                return unfit;
            }

            if (appended.Status == EventStatus.Accepted)
            {
                EventMetrics.Received.WithLabels("single").Inc();
            }

            return new Response(appended.Id, appended.Status == EventStatus.Duplicate);
        }
    }
}
