using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Queues;

/// <summary>Changes the members of a queue that the merge patch names; the rest stays.</summary>
/// <remarks>
/// Holds for what is claimed and what fails after the answer. Who serves it can change only while it has no unfinished jobs.
/// </remarks>
public static class PatchQueue
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPatch("/v1/queues/{id}", Patch)
                .RequirePermission(Permissions.QueuesWrite)
                .WithName(nameof(PatchQueue))
                .WithTags("Queues")
                .Produces<QueueView>()
                .ProducesProblems(QueueProblems.NotEmpty);

        /// <summary>Change a queue</summary>
        public static async Task<IResult> Patch(
            string id,
            MergePatch<QueueDocument> patch,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), patch, precondition);
            var result = await mediator.Send(command, cancellationToken);
            return result.ToResource();
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly QueueOptions _options = new();

        public Verb()
            : base("queues set", "Change what a queue promises; what is not named stays.") => Add(_options.All);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(
                    NameOrId.Parse(_options.Name(session)),
                    MergePatch<QueueDocument>.Of(_options.Read(session)),
                    Precondition.Any
                ),
                queue => queue.ToLines(),
                cancellationToken
            );
    }

    public sealed record Command(NameOrId Queue, MergePatch<QueueDocument> Patch, Precondition Precondition)
        : IRequest<Result<QueueView>>;

    internal sealed class Handler(SavedQueues queues) : IRequestHandler<Command, Result<QueueView>>
    {
        public Task<Result<QueueView>> Handle(Command request, CancellationToken cancellationToken) =>
            queues.PatchAsync(request.Queue, request.Patch, request.Precondition, cancellationToken);
    }
}
