using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Changes and removes members: one at a time in a project, so that two who act together cannot leave it without an owner.</summary>
/// <remarks>
/// The last owner stays one: a user who is not disabled, by a membership that is not disabled and that nothing narrows. Nobody
/// touches a member who can do more than he, nor grants what he lacks. Who is disabled or removed does not come back by an
/// invitation from before.
/// </remarks>
internal sealed class SavedMembers(Caller caller, AuditTrail trail, KnownUsers users, TimeProvider clock)
{
    /// <summary>The member, locked with the project's members as a whole until the transaction ends.</summary>
    public static async Task<Result<MemberRow>> LockAsync(
        Work work,
        Guid projectId,
        NameOrId which,
        CancellationToken cancellationToken
    )
    {
        await work.Connection.ExecuteAsync(Sql.LockProject.With(new { ProjectId = projectId }, cancellationToken));
        var row = await FindAsync(work.Connection, projectId, which, cancellationToken);
        return row is null ? NoMember(which) : row;
    }

    /// <summary>The member of that id or e-mail address; null: there is none.</summary>
    public static Task<MemberRow?> FindAsync(
        NpgsqlConnection connection,
        Guid projectId,
        NameOrId which,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            ProjectId = projectId,
            which.Id,
            EmailKey = which.Name is { } email ? EmailAddress.KeyOf(email) : null,
        };
        return connection.QuerySingleOrDefaultAsync<MemberRow>(Sql.Find.With(arguments, cancellationToken));
    }

    /// <summary>403 where the member can do more than who calls.</summary>
    public Problem? CheckTouch(MemberRow member) =>
        Granting.CheckTouch(caller, "member", member.Role, member.ReadAccess());

    /// <summary>Writes what a locked member may do from now on.</summary>
    public async Task<Result<MemberView>> UpdateAsync(
        Work work,
        MemberRow before,
        MemberDocument document,
        CancellationToken cancellationToken
    )
    {
        var access = document.ToAccess().ToJson();
        var staysOwner = document.Role == Roles.Owner && !document.Disabled && access == Access.Unlimited.ToJson();
        if (!staysOwner && await IsLastOwnerAsync(work, caller.ProjectId, before, cancellationToken))
        {
            return AccountsProblems.IsLastOwner(before.Email);
        }

        var now = clock.GetUtcNow().UtcDateTime;
        var arguments = new
        {
            caller.ProjectId,
            before.Id,
            document.Role,
            Access = access,
            DisabledAt = document.Disabled ? before.DisabledAt ?? now : (DateTime?)null,
            Now = now,
        };
        if (document.Disabled)
        {
            await CloseInvitationsAsync(work, caller.ProjectId, before.Email, cancellationToken);
        }

        await work.Connection.ExecuteAsync(Sql.Update.With(arguments, cancellationToken));
        var after = before with
        {
            Role = document.Role!,
            Access = access,
            DisabledAt = arguments.DisabledAt,
            Revision = before.Revision + 1,
            UpdatedAt = now,
        };
        await trail.RecordAsync(
            work.Connection,
            new AuditRecord(
                "members.update",
                $"members/{before.Email}",
                before.Id,
                before.ToView().ToDocument(),
                after.ToView().ToDocument()
            ),
            cancellationToken
        );
        work.AfterCommit(() => users.Forget(before.UserId));
        return after.ToView();
    }

    /// <summary>Removes a locked member.</summary>
    /// <param name="action">As it is recorded.</param>
    public async Task<Problem?> RemoveAsync(
        Work work,
        Guid projectId,
        MemberRow member,
        string action,
        CancellationToken cancellationToken
    )
    {
        if (await IsLastOwnerAsync(work, projectId, member, cancellationToken))
        {
            return AccountsProblems.IsLastOwner(member.Email);
        }

        await CloseInvitationsAsync(work, projectId, member.Email, cancellationToken);
        await work.Connection.ExecuteAsync(
            Sql.Delete.With(new { ProjectId = projectId, member.Id }, cancellationToken)
        );
        await trail.RecordAsync(
            work.Connection,
            [projectId],
            caller.Actor,
            caller.Id,
            caller.Method,
            new AuditRecord(action, $"members/{member.Email}", member.Id, member.ToView().ToDocument()),
            cancellationToken
        );
        work.AfterCommit(() => users.Forget(member.UserId));
        return null;
    }

    private async Task CloseInvitationsAsync(
        Work work,
        Guid projectId,
        string email,
        CancellationToken cancellationToken
    )
    {
        foreach (var id in await OneTimeTokens.CloseAsync(work.Connection, projectId, email, cancellationToken))
        {
            await trail.RecordAsync(
                work.Connection,
                [projectId],
                caller.Actor,
                caller.Id,
                caller.Method,
                new AuditRecord("users.cancel_invitation", $"users/{email}", id),
                cancellationToken
            );
        }
    }

    public static Problem NoMember(NameOrId which) => Problems.NotFound.Because($"There is no member {which}.");

    private static Task<bool> IsLastOwnerAsync(
        Work work,
        Guid projectId,
        MemberRow member,
        CancellationToken cancellationToken
    ) =>
        work.Connection.QuerySingleAsync<bool>(
            Sql.IsLastOwner.With(
                new
                {
                    ProjectId = projectId,
                    member.Id,
                    Roles.Owner,
                },
                cancellationToken
            )
        );

    private static class Sql
    {
        public const string LockProject = """
            SELECT FROM projects WHERE id = @ProjectId FOR NO KEY UPDATE
            """;

        public const string Find = """
            SELECT m.id, m.user_id, u.email, m.role, m.access::text AS access, m.disabled_at, m.revision, m.created_at,
                m.created_by, m.updated_at
            FROM memberships AS m
            JOIN users AS u ON u.id = m.user_id
            WHERE m.project_id = @ProjectId AND (m.id = @Id::uuid OR u.email_key = @EmailKey::text)
            """;

        public const string IsLastOwner = """
            WITH owners AS (
                SELECT m.id
                FROM memberships AS m
                JOIN users AS u ON u.id = m.user_id
                WHERE m.project_id = @ProjectId
                    AND m.role = @Owner
                    AND m.access::text = '{}'
                    AND m.disabled_at IS NULL
                    AND u.disabled_at IS NULL
            )
            SELECT EXISTS (SELECT FROM owners WHERE id = @Id) AND NOT EXISTS (SELECT FROM owners WHERE id <> @Id)
            """;

        public const string Update = """
            UPDATE memberships
            SET role = @Role, access = @Access::json, disabled_at = @DisabledAt, revision = revision + 1, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id
            """;

        public const string Delete = "DELETE FROM memberships WHERE project_id = @ProjectId AND id = @Id";
    }
}
