using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Does nothing, whatever its args, and succeeds: to try a queue, or to wait for one.</summary>
public static class RunNoop
{
    internal sealed class Consumer : JobConsumer<Command, Report>
    {
        private static readonly Command Nothing = new();

        public override string Kind => "noop";

        protected override Command Read(ClaimedJob job) => Nothing;

        protected override JobOutcome ToOutcome(Report report) => new JobOutcome.Succeeded(null);
    }

    public sealed record Command : IRequest<Result<Report>>;

    public sealed record Report;

    internal sealed class Handler : IRequestHandler<Command, Result<Report>>
    {
        private static readonly Task<Result<Report>> Done = Task.FromResult<Result<Report>>(new Report());

        public Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken) => Done;
    }
}
