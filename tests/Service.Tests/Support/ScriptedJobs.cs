using System.Collections.Concurrent;
using Bellhop.Features.Jobs;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Bellhop.Tests.Support;

/// <summary>What an execution of a scripted job does; the token is the one its handler gets.</summary>
public delegate Task<JobOutcome> Script(ClaimedJob job, CancellationToken cancellationToken);

/// <summary>A kind of jobs whose handler each test writes itself.</summary>
public sealed class ScriptedJobs : JobConsumer
{
    public const string Name = "scripted";

    private static readonly ConcurrentDictionary<Guid, Script> Scripts = new();

    public override string Kind => Name;

    /// <summary>To be called before the job is enqueued.</summary>
    public static void Write(Guid jobId, Script script) => Scripts[jobId] = script;

    public static void Add(WebApplicationBuilder builder) =>
        builder.Services.AddSingleton<JobConsumer, ScriptedJobs>().AddSingleton<JobConsumer, GivingUpJobs>();

    public override Task<JobOutcome> RunAsync(
        IMediator mediator,
        ClaimedJob job,
        CancellationToken cancellationToken
    ) => Scripts[job.Id](job, cancellationToken);
}

/// <summary>A kind that always fails, and enqueues a job of id <see cref="Then"/> in the transaction that gives up.</summary>
public sealed class GivingUpJobs : JobConsumer
{
    public const string Name = "giving-up";

    public override string Kind => Name;

    public override bool IsCarrier => true;

    public override bool IsInternal => true;

    public static Guid Then(Guid jobId)
    {
        var bytes = jobId.ToByteArray(bigEndian: true);
        bytes[^1] ^= 1;
        return new Guid(bytes, bigEndian: true);
    }

    public override Task<JobOutcome> RunAsync(
        IMediator mediator,
        ClaimedJob job,
        CancellationToken cancellationToken
    ) => Task.FromResult<JobOutcome>(new JobOutcome.Failed("no_use", "It never works.", Retryable: false));

    public override Task GaveUpAsync(
        NpgsqlConnection connection,
        ClaimedJob job,
        string errorJson,
        CancellationToken cancellationToken
    ) =>
        JobQueue.EnqueueAsync(
            connection,
            [
                new NewJob
                {
                    ProjectId = job.ProjectId,
                    Id = Then(job.Id),
                    Queue = JobQueue.Default,
                    Kind = "noop",
                    Args = errorJson,
                },
            ],
            cancellationToken
        );
}
