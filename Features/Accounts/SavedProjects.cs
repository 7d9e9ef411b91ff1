using Bellhop.Features.Accounts.Tokens;
using Bellhop.Features.ApiKeys;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;

namespace Bellhop.Features.Accounts;

/// <summary>Finds the project that a path names, whichever the caller acts in, and changes it.</summary>
/// <remarks>
/// To a user only what he is a member of is there; the command line finds them all. A change is one transaction, on record in the
/// project itself; it holds for callers at once here, and within five seconds in every process and for inbound paths.
/// </remarks>
internal sealed class SavedProjects(
    UnitOfWork works,
    Caller caller,
    AuditTrail trail,
    KnownUsers users,
    KnownKeys keys,
    KnownIssuers issuers,
    TimeProvider clock
)
{
    /// <summary>The project as it is.</summary>
    public async Task<Result<ProjectView>> FindAsync(NameOrId which, CancellationToken cancellationToken)
    {
        await using var work = await works.OpenAsync(cancellationToken);
        var row = await work.Connection.QuerySingleOrDefaultAsync<ProjectRow>(
            Sql.Find.With(Arguments(which), cancellationToken)
        );
        return row is null ? AccountsProblems.NoProject
            : row.Refuses(caller, null, clock.GetUtcNow()) is { } refusal ? refusal
            : row.ToView();
    }

    /// <summary>Locks the project until the transaction ends, for somebody who may do this to it.</summary>
    /// <param name="permission">Null: it is enough to be a member.</param>
    public async Task<Result<ProjectRow>> LockAsync(
        Work work,
        NameOrId which,
        string? permission,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleOrDefaultAsync<ProjectRow>(
            Sql.Lock.With(Arguments(which), cancellationToken)
        );
        return row is null ? AccountsProblems.NoProject
            : row.Refuses(caller, permission, clock.GetUtcNow()) is { } refusal ? refusal
            : row;
    }

    /// <summary>Gives the project the name that is in the document which comes of it.</summary>
    public Task<Result<ProjectView>> RenameAsync(
        NameOrId which,
        Func<ProjectView, Result<ProjectDocument>> change,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            which,
            "projects.update",
            row =>
            {
                var changed = change(row.ToView());
                return changed.Problem is { } problem ? problem : row with { Name = changed.Unwrap().Name! };
            },
            cancellationToken
        );

    /// <summary>Archives the project, or takes that back. Where it is so already nothing happens.</summary>
    public Task<Result<ProjectView>> SetArchivedAsync(
        NameOrId which,
        bool isArchived,
        CancellationToken cancellationToken
    ) =>
        ChangeAsync(
            which,
            isArchived ? "projects.archive" : "projects.restore",
            row => row with { ArchivedAt = isArchived ? row.ArchivedAt ?? clock.GetUtcNow().UtcDateTime : null },
            cancellationToken
        );

    private async Task<Result<ProjectView>> ChangeAsync(
        NameOrId which,
        string action,
        Func<ProjectRow, Result<ProjectRow>> change,
        CancellationToken cancellationToken
    )
    {
        await using var work = await works.BeginAsync(cancellationToken);
        var locked = await LockAsync(work, which, Permissions.ProjectsWrite, cancellationToken);
        if (locked.Problem is { } refused)
        {
            return refused;
        }

        var before = locked.Unwrap();
        var changed = change(before);
        if (changed.Problem is { } problem)
        {
            return problem;
        }

        var after = changed.Unwrap();
        if (after == before)
        {
            return before.ToView();
        }

        if (caller.UserId is not null && after.Name != before.Name && after.Name == Projects.Default)
        {
            return Projects.IsReserved;
        }

        await Projects.LockNamesAsync(work.Connection, cancellationToken);
        var arguments = new
        {
            after.Id,
            after.Name,
            after.ArchivedAt,
            Now = clock.GetUtcNow().UtcDateTime,
        };
        var saved = await work.Connection.QuerySingleOrDefaultAsync<ProjectView>(
            Sql.Update.With(arguments, cancellationToken)
        );
        if (saved is null)
        {
            return Problems.NameTaken.Because($"There is a project {after.Name} already.");
        }

        await trail.RecordAsync(
            work.Connection,
            [saved.Id],
            caller.Actor,
            caller.Id,
            caller.Method,
            new AuditRecord(action, $"projects/{saved.Name}", saved.Id, before.ToView(), saved),
            cancellationToken
        );
        work.AfterCommit(users.ForgetAll);
        work.AfterCommit(keys.ForgetAll);
        work.AfterCommit(issuers.ForgetAll);
        await work.CommitAsync(cancellationToken);
        return saved;
    }

    private object Arguments(NameOrId which) =>
        new
        {
            which.Id,
            which.Name,
            caller.UserId,
        };

    private static class Sql
    {
        public const string Find = Row;
        public const string Lock = Row + "\nFOR NO KEY UPDATE OF p";

        // a user's own, or, for the command line, whichever it is
        private const string Row = """
            SELECT p.id, p.name, p.archived_at, p.revision, p.created_at, p.updated_at, m.id AS member_id,
                m.role, m.access::text AS access
            FROM projects AS p
            LEFT JOIN memberships AS m ON m.project_id = p.id AND m.user_id = @UserId::uuid AND m.disabled_at IS NULL
            WHERE (p.id = @Id::uuid OR p.name = @Name::text) AND (@UserId::uuid IS NULL OR m.id IS NOT NULL)
            """;

        public const string Update = """
            UPDATE projects
            SET name = @Name, archived_at = @ArchivedAt, revision = revision + 1, updated_at = @Now
            WHERE id = @Id AND NOT EXISTS (SELECT FROM projects AS other WHERE other.name = @Name AND other.id <> @Id)
            RETURNING id, name, archived_at, revision, created_at, updated_at
            """;
    }
}
