using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using FluentValidation;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Jobs;

/// <summary>Puts a job on a queue, to run now or later.</summary>
/// <remarks>The job is stored when the answer comes. Sending the request again makes another job.</remarks>
public static class EnqueueJob
{
    public const int MaxArgsBytes = 256 * 1024;

    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/jobs", Post)
                .RequirePermission(Permissions.JobsWrite)
                .WithName(nameof(EnqueueJob))
                .WithTags("Jobs")
                .Produces<Response>(StatusCodes.Status201Created)
                .ProducesProblems(JobProblems.UnknownQueue, JobProblems.UnknownKind);

        /// <summary>Enqueue a job</summary>
        public static async Task<IResult> Post(
            Body<Command> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(body.Value, cancellationToken);
            return result.ToHttp(job => TypedResults.Created($"/v1/jobs/{job.Id}", job));
        }
    }

    /// <param name="Kind">What executes it, such as <c>noop</c>.</param>
    /// <param name="Args">An object of at most 256 KiB.</param>
    /// <param name="RunAt">Not before then; null: now.</param>
    /// <param name="Priority">1 (first) to 4.</param>
    /// <param name="MaxAttempts">1–1000; null: as the retry policy says, else as the queue does.</param>
    /// <param name="Retry">How failed attempts are retried; null: as the queue says.</param>
    public sealed record Command(
        string Kind,
        JsonElement? Args = null,
        string Queue = JobQueue.Default,
        DateTime? RunAt = null,
        short Priority = 3,
        short? MaxAttempts = null,
        RetryPolicy? Retry = null
    ) : IRequest<Result<Response>>, IExampled<Command>
    {
        public static Command Example =>
            new("log", Story.Json("""{"message":"ticket 7 about order 1042"}"""), MaxAttempts: 5);
    }

    public sealed record Response(Guid Id, [property: WordOf(typeof(JobState))] string State) : IExampled<Response>
    {
        public static Response Example => new(Story.Job, JobState.Ready);
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator()
        {
            RuleFor(command => command.Kind).NotEmpty().MaximumLength(100);
            RuleFor(command => command.Queue).NotEmpty().MaximumLength(100);
            RuleFor(command => command.Args).IsObject();
            RuleFor(command => command.RunAt)
                .Must(runAt => runAt is null or { Year: >= 2000 and < 9999 })
                .WithErrorCode("out_of_range")
                .WithMessage("run_at must lie between the years 2000 and 9998.");
            RuleFor(command => command.Priority).InclusiveBetween((short)1, (short)4);
            RuleFor(command => command.MaxAttempts).InclusiveBetween((short)1, (short)1000);
            RuleFor(command => command.Retry!)
                .SetValidator(new RetryPolicyRules())
                .When(command => command.Retry is not null);
        }
    }

    internal sealed class Handler(
        UnitOfWork works,
        Caller caller,
        JobKinds kinds,
        QueueSignals signals,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            var args = request.Args is { ValueKind: JsonValueKind.Object } given ? given.GetRawText() : "{}";
            if (Encoding.UTF8.GetByteCount(args) > MaxArgsBytes)
            {
                return Problems.TooLarge.Because(
                    "args may be 256 KiB at most.",
                    FieldError.At("/args", "too_large", "256 KiB at most.")
                );
            }

            await using var work = await works.OpenAsync(cancellationToken);
            if (
                !kinds.IsOpen(request.Kind)
                && await RefuseAsync(work.Connection, request, cancellationToken) is { } problem
            )
            {
                return problem;
            }

            var job = ToJob(request, args);
            var ids = await JobQueue.EnqueueAsync(work.Connection, [job], cancellationToken);
            if (ids.Count == 0)
            {
                return UnknownQueue(request);
            }

            work.AfterCommit(signals.Raise);
            await work.CommitAsync(cancellationToken);
            return new Response(job.Id, JobState.Ready);
        }

        private NewJob ToJob(Command request, string args) =>
            new()
            {
                ProjectId = caller.ProjectId,
                Id = Guid.CreateVersion7(clock.GetUtcNow()),
                Queue = request.Queue,
                Kind = request.Kind,
                Args = args,
                Priority = request.Priority,
                RunAt = request.RunAt,
                MaxAttempts = request.MaxAttempts ?? (short?)request.Retry?.MaxAttempts,
                Retry = request.Retry is null ? null : JsonSerializer.Serialize(request.Retry, JsonRules.Options),
                TraceParent = Activity.Current?.Id,
            };

        /// <summary>A kind the service does not execute, or keeps to itself, is right only on a queue of remote workers.</summary>
        private async Task<Problem?> RefuseAsync(
            NpgsqlConnection connection,
            Command request,
            CancellationToken cancellationToken
        ) =>
            await connection.QuerySingleOrDefaultAsync<bool?>(
                Sql.IsServedHere.With(new { caller.ProjectId, request.Queue }, cancellationToken)
            ) switch
            {
                null => UnknownQueue(request),
                true => UnknownKind(request),
                false => null,
            };

        private static Problem UnknownQueue(Command request) =>
            JobProblems.UnknownQueue.Because(
                $"There is no queue {request.Queue}.",
                FieldError.At("/queue", "unknown_queue", "Name a queue of the project.")
            );

        private static Problem UnknownKind(Command request) =>
            JobProblems.UnknownKind.Because(
                $"Nothing executes jobs of kind {request.Kind} on the queue {request.Queue}.",
                FieldError.At("/kind", "unknown_kind", "Name a kind the service executes.")
            );
    }

    private static class Sql
    {
        public const string IsServedHere =
            "SELECT served_by = 'service' FROM queues WHERE project_id = @ProjectId AND name = @Queue";
    }
}
