using Bellhop.Features.Jobs.Logs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Jobs;

/// <summary>Writes a message to the log of its job, and to the service's.</summary>
public static partial class RunLog
{
    internal sealed class Consumer : JobConsumer<Command, Report>
    {
        public override string Kind => "log";
    }

    /// <param name="Message">1–10,000 characters.</param>
    public sealed record Command(string Message) : IRequest<Result<Report>>;

    public sealed record Report(string Message);

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() => RuleFor(command => command.Message).NotEmpty().MaximumLength(10_000);
    }

    internal sealed class Handler(Caller caller, JobLog log, ILogger<Handler> logger)
        : IRequestHandler<Command, Result<Report>>
    {
        public Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            Write(logger, caller.ProjectId, request.Message);
            log.Write(JobLogLevel.Info, request.Message);
            return Task.FromResult<Result<Report>>(new Report(request.Message));
        }
    }

    [LoggerMessage(LogLevel.Information, "A job of project {ProjectId} says: {Message}")]
    private static partial void Write(ILogger logger, Guid projectId, string message);
}
