using Bellhop.Features.Accounts;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace Bellhop.Features.ApiKeys;

/// <summary>The key of a new installation: an owner's, of the project <c>default</c>, kept in a file for its owner only.</summary>
/// <param name="Path">Where it is kept; null where this process made none and holds none.</param>
/// <param name="Text">The key itself.</param>
public sealed record FirstKey(string? Path, string? Text)
{
    private static readonly FirstKey None = new(null, null);

    /// <summary>Makes the key where there is such a project and no key at all; else reads the file, where there is one.</summary>
    /// <remarks>
    /// The file is written first: a process that is killed in between leaves a key that the next one enters. A project that gets
    /// the name later, when the first one has another, gets no such key.
    /// </remarks>
    public static async Task<FirstKey> EnsureAsync(
        NpgsqlDataSource database,
        Settings settings,
        CancellationToken cancellationToken
    )
    {
        var path = global::System.IO.Path.Combine(settings.StateDirectory, "first-key");
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        if (await connection.QuerySingleAsync<bool>(Sql.NeedsNone.With(new { Projects.Default }, cancellationToken)))
        {
            return File.Exists(path) ? new FirstKey(path, Read(path)?.Text) : None;
        }

        var (id, key) = ReadOrWrite(path);
        var made = await connection.ExecuteAsync(
            Sql.Insert.With(
                new
                {
                    Projects.Default,
                    Id = id,
                    KeyId = key.Id,
                    key.Sha256,
                    Role = Roles.Owner,
                },
                cancellationToken
            )
        );
        if (made == 0)
        {
            File.Delete(path); // another instance made the first key at this moment
            return None;
        }

        return new FirstKey(path, key.Text);
    }

    private static (Guid Id, ApiKey Key) ReadOrWrite(string path)
    {
        try
        {
            if (File.Exists(path) && Read(path) is { } kept)
            {
                return (kept.RowId, kept);
            }

            var key = ApiKey.Create(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()));
            File.Delete(path);
            Write(path, key.Text);
            return (key.RowId, key);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new StartException(
                ExitCodes.Configuration,
                $"The first key cannot be kept: {exception.Message}",
                exception
            );
        }
    }

    private static ApiKey? Read(string path) => ApiKey.Parse(File.ReadAllText(path).Trim());

    private static void Write(string path, string text)
    {
        Directory.CreateDirectory(global::System.IO.Path.GetDirectoryName(path)!);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var file = new StreamWriter(path, options);
        file.WriteLine(text);
    }

    private static class Sql
    {
        // engine-wide: whether the installation is a new one
        public const string NeedsNone = """
            SELECT NOT EXISTS (SELECT FROM projects WHERE name = @Default) OR EXISTS (SELECT FROM api_keys)
            """;

        public const string Insert = """
            INSERT INTO api_keys (project_id, id, key_id, name, secret_sha256, role)
            SELECT id, @Id::uuid, @KeyId::text, 'first', @Sha256::bytea, @Role::text FROM projects WHERE name = @Default
            ON CONFLICT (project_id, name) WHERE revoked_at IS NULL DO NOTHING
            """;
    }
}
