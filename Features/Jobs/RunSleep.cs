using Bellhop.Infrastructure.Http;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Takes a while: 0 to 600 seconds, and holds a slot of its queue meanwhile.</summary>
public static class RunSleep
{
    internal sealed class Consumer : JobConsumer<Command, Report>
    {
        public override string Kind => "sleep";
    }

    /// <param name="Seconds">0–600.</param>
    public sealed record Command(double Seconds) : IRequest<Result<Report>>;

    public sealed record Report(double Seconds);

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() => RuleFor(command => command.Seconds).InclusiveBetween(0, 600);
    }

    internal sealed class Handler(TimeProvider clock) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            await Task.Delay(TimeSpan.FromSeconds(request.Seconds), clock, cancellationToken);
            return new Report(request.Seconds);
        }
    }
}
