using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Replaces a queue's configuration; under a name that is not there it makes one.</summary>
/// <remarks>
/// A member that is left out has its default again. Holds for what is claimed and what fails after the answer. Whether the queue
/// is paused stays; who serves it can change only while it has no unfinished jobs.
/// </remarks>
public static class UpdateQueue
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPut("/v1/queues/{id}", Put)
                .RequirePermission(Permissions.QueuesWrite)
                .WithName(nameof(UpdateQueue))
                .WithTags("Queues")
                .Produces<QueueView>()
                .Produces<QueueView>(StatusCodes.Status201Created)
                .ProducesProblems(QueueProblems.NotEmpty);

        /// <summary>Replace a queue</summary>
        public static async Task<IResult> Put(
            string id,
            Body<QueueDocument> body,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), body.Value, precondition);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToSaved("/v1/queues");
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly QueueOptions _options = new();

        public Verb()
            : base("queues create", "Make a queue, for workers where nothing else is said.") => Add(_options.All);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            var typed = MergePatch<QueueDocument>.Of(_options.Read(session)).ApplyTo(new QueueDocument(null));
            return typed.Problem is { } problem
                ? Task.FromResult(session.Refuse(problem))
                : session.SendAsync(
                    new Command(NameOrId.Parse(_options.Name(session)), typed.Unwrap(), Precondition.None),
                    saved => saved.View.ToLines(),
                    cancellationToken
                );
        }
    }

    public sealed record Command(NameOrId Queue, QueueDocument Document, Precondition Precondition)
        : IRequest<Result<Saved<QueueView>>>;

    internal sealed class Handler(SavedQueues queues) : IRequestHandler<Command, Result<Saved<QueueView>>>
    {
        public Task<Result<Saved<QueueView>>> Handle(Command request, CancellationToken cancellationToken) =>
            queues.PutAsync(request.Queue, request.Document, request.Precondition, cancellationToken);
    }
}
