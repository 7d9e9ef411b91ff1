using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Carter;
using MediatR;

namespace Bellhop.Features.Jobs.Logs;

/// <summary>The lines that executions of a job wrote, the oldest first.</summary>
/// <remarks>
/// Whoever reads on from the last <c>seq</c> misses none: lines get their places in the order in which they can be read. Of a job its first
/// 64 KiB and its last lines are kept, 1 MiB in all; a line of level <c>left_out</c> says how many are missing where it stands.
/// </remarks>
public static class ListJobLogs
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapGet("/v1/jobs/{id:guid}/logs", Get)
                .RequirePermission(Permissions.JobsRead)
                .WithPaging(new ListFilter("level", JobLogLevels.Written))
                .WithQuery("after")
                .WithName(nameof(ListJobLogs))
                .WithTags("Jobs")
                .Produces<Page<JobLogLine>>();

        /// <summary>List a job's log lines</summary>
        /// <param name="id">The job.</param>
        /// <param name="level">No line that matters less.</param>
        /// <param name="after">Only lines behind this <c>seq</c>.</param>
        public static async Task<IResult> Get(
            Guid id,
            string? level,
            [Range(0, int.MaxValue)] int? after,
            HttpContext http,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var page = Paging.Read(http);
            return page.Problem is not null
                ? page.ToHttp(TypedResults.Ok)
                : (await mediator.Send(new Query(id, page.Unwrap(), level, after ?? 0), cancellationToken)).ToHttp(
                    http
                );
        }
    }

    public sealed record Query(Guid Id, PageRequest Page, string? Level = null, long After = 0)
        : IRequest<Result<Page<JobLogLine>>>;

    internal sealed class Handler(JobLogs logs) : IRequestHandler<Query, Result<Page<JobLogLine>>>
    {
        public async Task<Result<Page<JobLogLine>>> Handle(Query request, CancellationToken cancellationToken)
        {
            if (await logs.RefuseAsync(request.Id, cancellationToken) is { } problem)
            {
                return problem;
            }

            var after = request.Page.After is { } last ? long.Parse(last, CultureInfo.InvariantCulture) : request.After;
            var level = request.Level is { } word ? JobLogLevels.Of(word) : JobLogLevel.Debug;
            var lines = await logs.ReadAsync(request.Id, after, level, request.Page.Take, cancellationToken);
            // marks make it longer; the page ends where it must, and the next begins there
            return request.Page.ToPage(lines, line => line.Seq.ToString(CultureInfo.InvariantCulture));
        }
    }
}
