using System.Diagnostics;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;

namespace Bellhop.Features.Accounts;

/// <summary>Has one-time tokens sent by mail, where a connection for that is set; by a job, in the transaction that opens the token.</summary>
/// <remarks>The job knows the id of the token's row alone: the secret is made when it is sent, and stands in the mail and nowhere else.</remarks>
internal sealed class AccountMail(Settings settings, QueueSignals signals, TimeProvider clock)
{
    public const string Kind = "accounts.mail";

    /// <summary>The name of the connection, in the project that the jobs are in.</summary>
    public string? Connection => settings.MailConnection?.Split('/')[1];

    /// <summary>Whether it will be sent; false: no connection is set, or there is no such project.</summary>
    public async Task<bool> EnqueueAsync(Work work, Guid tokenId, CancellationToken cancellationToken)
    {
        if (
            settings.MailConnection?.Split('/')[0] is not { } project
            || await work.Connection.QuerySingleOrDefaultAsync<Guid?>(
                Sql.Project.With(new { NameOrId = project }, cancellationToken)
            )
                is not { } projectId
        )
        {
            return false;
        }

        var job = new NewJob
        {
            ProjectId = projectId,
            Id = Guid.CreateVersion7(clock.GetUtcNow()),
            Queue = JobQueue.Default,
            Kind = Kind,
            Args = JsonSerializer.Serialize(new { TokenId = tokenId }, JsonRules.Options),
            TraceParent = Activity.Current?.Id,
        };
        var stored = await JobQueue.EnqueueAsync(work.Connection, [job], cancellationToken);
        work.AfterCommit(signals.Raise);
        return stored.Count == 1;
    }

    private static class Sql
    {
        // no name is shaped like an id
        public const string Project = "SELECT id FROM projects WHERE name = @NameOrId OR id::text = lower(@NameOrId)";
    }
}
