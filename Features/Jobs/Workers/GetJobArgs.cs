using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.RateLimits;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using MediatR;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>What a job is about, alone, to whoever holds it: for workers that have no parser of JSON.</summary>
/// <remarks>The lease proves who asks. It is answered while the job is the worker's; afterwards nothing of it is.</remarks>
public static class GetJobArgs
{
    private const string Header = "Bellhop-Lease";

    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/jobs/{id:guid}/args", Get)
                .RequirePermission(Permissions.JobsWork)
                .InBucket(RateBucket.Work)
                .WithParameter(
                    Header,
                    "The lease, as the claim gave it.",
                    $"^[A-Za-z0-9_-]{{{Lease.Length}}}$",
                    Lease.Length,
                    new Lease(1, Story.ClaimKey).ToString()
                )
                .WithName(nameof(GetJobArgs))
                .WithTags("Workers")
                .Produces<Response>()
                .ProducesProblems(JobProblems.LeaseLost);

        /// <summary>Get a held job's args</summary>
        public static async Task<IResult> Get(
            Guid id,
            [FromHeader(Name = Header), MaxLength(Lease.Length)] string? lease,
            IMediator mediator,
            CancellationToken cancellationToken
        ) => (await mediator.Send(new Query(id, lease), cancellationToken)).ToResource();
    }

    public sealed record Query(Guid Id, string? Lease) : IRequest<Result<JsonElement>>;

    /// <summary>The args, whatever they are.</summary>
    public sealed class Response : Dictionary<string, JsonElement>, IExampled<Response>
    {
        public static Response Example => new() { ["order"] = Story.Json("1042") };
    }

    internal sealed class Handler(NpgsqlDataSource database, Caller caller)
        : IRequestHandler<Query, Result<JsonElement>>
    {
        public async Task<Result<JsonElement>> Handle(Query request, CancellationToken cancellationToken)
        {
            var lease = Lease.Parse(request.Lease) ?? default;
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var found = await connection.QueryAsync<string?>(
                Sql.Read.With(
                    new
                    {
                        caller.ProjectId,
                        caller.ReachQueues,
                        request.Id,
                        lease.ClaimNo,
                        lease.ClaimKey,
                    },
                    cancellationToken
                )
            );
            return found.AsList() switch
            {
                [] => JobProblems.NoJob,
                [{ } args] => JsonElement.Parse(args),
                _ => JobProblems.LeaseLost.Because("The job is not held by that lease."),
            };
        }
    }

    private static class Sql
    {
        public const string Read = """
            SELECT CASE WHEN j.state = 2 AND j.claim_no = @ClaimNo AND j.claim_key = @ClaimKey THEN j.args::text END AS args
            FROM jobs j
            JOIN queues q ON q.project_id = j.project_id AND q.queue_id = j.queue_id
            WHERE j.project_id = @ProjectId AND j.id = @Id AND (@ReachQueues::text[] IS NULL OR q.name = ANY (@ReachQueues))
            """;
    }
}
