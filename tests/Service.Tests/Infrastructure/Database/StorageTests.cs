using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Database;

public sealed class StorageTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_two_that_open_an_empty_database_at_once_one_migrates_and_both_are_ready()
    {
        var settings = await NewDatabaseAsync();

        var opened = await Task.WhenAll(OpenAsync(settings), OpenAsync(settings));

        Assert.Equal([0, Migrations.Names.Count], opened.Select(storage => storage.Applied.Count).Order());
        foreach (var storage in opened)
        {
            await storage.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_key_ring_that_lacks_a_key_or_holds_another_under_its_id_is_78()
    {
        var settings = await NewDatabaseAsync();
        await (await OpenAsync(settings)).DisposeAsync();
        var folder = Directory.CreateTempSubdirectory("bellhop-ring-").FullName;
        try
        {
            var missing = settings with { KeyRing = Path.Combine(folder, "none") };
            await Assert.ThrowsAnyAsync<Exception>(() => OpenAsync(missing));
            Assert.False(File.Exists(missing.KeyRing));

            var other = settings with { KeyRing = Path.Combine(folder, "other") };
            await WriteRingAsync(other.KeyRing, "00000000");
            var lacks = await Assert.ThrowsAsync<StartException>(() => OpenAsync(other));

            await WriteRingAsync(other.KeyRing, (await File.ReadAllTextAsync(settings.KeyRing, Token))[..8]);
            var wrong = await Assert.ThrowsAsync<StartException>(() => OpenAsync(other));

            Assert.Equal((78, 78), (lacks.ExitCode, wrong.ExitCode));
            Assert.Contains("lacks the key", lacks.Message, StringComparison.Ordinal);
            Assert.Contains("holds another key as", wrong.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_server_that_is_away_is_75_and_one_that_refuses_the_login_is_78()
    {
        var away = service.Settings with
        {
            ConnectionString = $"Host=127.0.0.1;Port={ServiceProcess.FreePort()};Username=x",
        };
        var refusing = service.Settings with
        {
            ConnectionString = new NpgsqlConnectionStringBuilder(service.OwnerConnectionString)
            {
                Database = "nowhere",
            }.ConnectionString,
        };

        Assert.Equal(75, (await Assert.ThrowsAsync<StartException>(() => OpenAsync(away))).ExitCode);
        Assert.Equal(78, (await Assert.ThrowsAsync<StartException>(() => OpenAsync(refusing))).ExitCode);
    }

    [Fact]
    public async Task An_owner_who_may_not_grant_the_running_role_is_told_what_a_superuser_does_once()
    {
        var name = $"plain_{Guid.NewGuid():N}";
        await using var owner = NpgsqlDataSource.Create(service.OwnerConnectionString);
        await using var connection = await owner.OpenConnectionAsync(Token);
        await connection.ExecuteAsync($"CREATE ROLE {name} LOGIN".With(null, Token));
        await connection.ExecuteAsync($"CREATE DATABASE {name} OWNER {name}".With(null, Token));
        var settings = service.Settings with
        {
            ConnectionString = new NpgsqlConnectionStringBuilder(service.OwnerConnectionString)
            {
                Username = name,
                Database = name,
            }.ConnectionString,
        };

        var refused = await Assert.ThrowsAsync<MigrationException>(() => OpenAsync(settings));

        Assert.Contains($"GRANT bellhop_app TO \"{name}\"", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connections_may_not_change_tables_also_when_they_are_used_again()
    {
        for (var use = 0; use < 3; use++)
        {
            await using var connection = await service.Database.OpenConnectionAsync(Token);
            var refusal = await Assert.ThrowsAsync<PostgresException>(() =>
                connection.ExecuteAsync("CREATE TABLE bellhop.mine ()".With(null, Token))
            );
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
        }
    }

    private static Task<Storage> OpenAsync(Settings settings) =>
        Storage.OpenAsync(settings, Program.Composition.Settle, TimeSpan.Zero, _ => { }, Token);

    private static async Task WriteRingAsync(string path, string kid)
    {
        await File.WriteAllTextAsync(path, $"{kid}:{Convert.ToBase64String(new byte[32])}\n", Token);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private async Task<Settings> NewDatabaseAsync()
    {
        var name = $"own_{Guid.NewGuid():N}";
        await using var owner = NpgsqlDataSource.Create(service.OwnerConnectionString);
        await using var connection = await owner.OpenConnectionAsync(Token);
        await connection.ExecuteAsync($"CREATE DATABASE {name}".With(null, Token));
        return service.Settings with
        {
            ConnectionString = new NpgsqlConnectionStringBuilder(service.OwnerConnectionString)
            {
                Database = name,
            }.ConnectionString,
        };
    }
}
