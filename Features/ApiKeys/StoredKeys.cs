using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;

namespace Bellhop.Features.ApiKeys;

/// <summary>Finds the key that somebody is about to change, and sees to it that he may.</summary>
/// <remarks>Nobody touches a key that can do more than he: its new secret would be his.</remarks>
internal sealed class StoredKeys(Caller caller)
{
    /// <summary>The key, locked until the transaction ends. A name finds the one that is not revoked.</summary>
    public async Task<Result<ApiKeyRow>> LockAsync(Work work, NameOrId which, CancellationToken cancellationToken)
    {
        var arguments = new
        {
            caller.ProjectId,
            which.Id,
            which.Name,
        };
        var row = await work.Connection.QuerySingleOrDefaultAsync<ApiKeyRow>(
            Sql.Lock.With(arguments, cancellationToken)
        );
        return row is null ? NoKey(which)
            : Granting.CheckTouch(caller, "key", row.Role, row.ReadAccess()) is { } more ? more
            : row;
    }

    public static Problem NoKey(NameOrId which) => Problems.NotFound.Because($"There is no key {which}.");

    private static class Sql
    {
        public const string Lock = """
            SELECT id, key_id, name, role, access::text AS access, created_at, created_by, expires_at, last_used_at, rotated_at,
                old_expires_at, revoked_at, revision, updated_at
            FROM api_keys
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR (name = @Name::text AND revoked_at IS NULL))
            FOR UPDATE
            """;
    }
}
