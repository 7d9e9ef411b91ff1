using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Secrets;

public sealed class RotateSecretsTests(ServiceFixture service) : IDisposable
{
    private const string SealedColumns = """
        SELECT c.relname || '.' || a.attname
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid AND NOT c.relispartition
        WHERE c.relnamespace = 'bellhop'::regnamespace AND col_description(a.attrelid, a.attnum) = 'sealed'
        ORDER BY 1
        """;

    private const string SomebodyWaits = """
        SELECT EXISTS (
            SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        )
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("bellhop-rotate-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Ring => Path.Combine(_folder, "keyring");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Rotation_visits_every_column_that_the_schema_calls_sealed()
    {
        await using var connection = await service.Database.OpenConnectionAsync(Token);

        var inSchema = (await connection.QueryAsync<string>(SealedColumns.With(null, Token))).ToArray();

        Assert.NotEmpty(inSchema);
        Assert.Equal(
            inSchema,
            service.Services.GetServices<SealedColumn>().Select(column => $"{column}").Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task A_running_service_goes_on_over_a_new_key_a_rotation_and_the_end_of_the_old_key()
    {
        var connectionString = await NewDatabaseAsync();
        await using var process = new ServiceProcess(_folder, connectionString);
        await process.ServeAsync();
        using var client = process.NewClient();
        var inbound = await MakeEverythingAsync(client);
        var oldLine = (await File.ReadAllTextAsync(Ring, Token)).Trim();

        await RunAsync(connectionString, 0, "secrets", "add-key");
        await process.StopAsync();
        await process.ServeAsync();
        Assert.Equal(HttpStatusCode.Accepted, await ReceiveAsync(client, inbound, "on both keys"));
        using (
            var put = await client.PutAsJsonAsync("/v1/secrets/later", new { value = "sealed by the new key" }, Token)
        )
        {
            Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        }

        var first = await RunAsync(connectionString, 0, "secrets", "rotate", "--json");
        var second = await RunAsync(connectionString, 0, "secrets", "rotate", "--json");

        using var report = JsonDocument.Parse(first.Output);
        Assert.Equal(
            [
                "connections.secret=0",
                "idempotency_keys.answer=0",
                "secrets.value=1",
                "signing_keys.private_key=0",
                "sources.secrets=1",
                "users.totp_secret=0",
                "webhook_endpoints.secrets=1",
            ],
            // a duty may have sealed the head of the audit anew before
            Resealed(report).Where(text => !text.StartsWith("audit_heads.", StringComparison.Ordinal))
        );
        Assert.Equal(
            [oldLine[..8]],
            report.RootElement.GetProperty("removable_keys").EnumerateArray().Select(id => id.GetString())
        );
        Assert.All(
            Resealed(JsonDocument.Parse(second.Output)),
            text => Assert.EndsWith("=0", text, StringComparison.Ordinal)
        );
        Assert.Equal(HttpStatusCode.Accepted, await ReceiveAsync(client, inbound, "after the rotation"));

        await process.StopAsync();
        var ring = await File.ReadAllTextAsync(Ring, Token);
        await File.WriteAllTextAsync(Ring, ring.Replace(oldLine, "", StringComparison.Ordinal), Token);
        await process.ServeAsync();
        Assert.Equal(HttpStatusCode.Accepted, await ReceiveAsync(client, inbound, "on the new key alone"));
    }

    [Fact]
    public async Task A_row_that_does_not_open_is_named_and_keeps_the_old_keys()
    {
        var old = KeyRing.LoadOrCreate(Ring).Active.Id;
        KeyRing.AddKey(Ring);
        await using var own = await OwnService.StartAsync(service, keyRing: Ring);
        await own.SendAsync(new PutSecret.Command("broken", "value"));
        await using var connection = await own.Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            "UPDATE secrets SET value = replace(value, split_part(value, '.', 2), @Old)".With(new { Old = old }, Token)
        );

        var report = await own.SendAsync(new RotateSecrets.Command());

        var column = Assert.Single(report.Columns, column => column.Column == "secrets.value");
        Assert.Equal(["secrets.value of broken: Tampered"], column.Unreadable);
        Assert.False(report.IsWhole);
        Assert.Empty(report.RemovableKeys);
        Assert.Equal(
            0,
            await connection.QuerySingleAsync<int>(
                "SELECT count(*)::int FROM key_ring_ids WHERE retired_at IS NOT NULL".With(null, Token)
            )
        );
    }

    [Fact]
    public async Task Who_writes_while_a_batch_is_sealed_anew_wins()
    {
        KeyRing.LoadOrCreate(Ring);
        await using var own = await OwnService.StartAsync(service, keyRing: Ring);
        await own.SendAsync(new PutSecret.Command("contested", "before"));
        KeyRing.AddKey(Ring);
        var ring = KeyRing.Load(Ring);
        var box = new SecretBox(ring);
        await using var writer = await own.Database.OpenConnectionAsync(Token);
        await using var transaction = await writer.BeginTransactionAsync(Token);
        var place = NamedSecrets.Sealed.At(own.ProjectId, "contested");
        await writer.ExecuteAsync(
            "UPDATE secrets SET value = @Value".With(new { Value = box.Seal("after", place) }, Token)
        );

        var rotating = new Resealing(own.Database, ring, box).RunAsync(NamedSecrets.Sealed, Token);
        await using var owner = NpgsqlDataSource.Create(own.OwnerConnectionString); // the running role sees no one's waits
        await using var watcher = await owner.OpenConnectionAsync(Token);
        await Eventually.BeTrueAsync(
            () => watcher.QuerySingleAsync<bool>(SomebodyWaits.With(null, Token)),
            "the rotation waits for the row"
        );
        await transaction.CommitAsync(Token);

        var column = await rotating;
        Assert.Equal((0, 1, false), (column.Resealed, column.Overtaken, column.OnOlderKeys));
        var stored = await writer.QuerySingleAsync<string>("SELECT value FROM secrets".With(null, Token));
        Assert.Equal("after", box.OpenText(stored, place));
    }

    [Fact]
    public async Task A_ring_turned_back_to_a_retired_key_makes_it_needed_again()
    {
        KeyRing.LoadOrCreate(Ring);
        var old = await File.ReadAllTextAsync(Ring, Token);
        KeyRing.AddKey(Ring);
        await using (var own = await OwnService.StartAsync(service, keyRing: Ring))
        {
            await own.SendAsync(new RotateSecrets.Command());
            var settings = service.Settings with { ConnectionString = own.OwnerConnectionString, KeyRing = Ring };
            var newer = (await File.ReadAllLinesAsync(Ring, Token))[0];
            await File.WriteAllTextAsync(Ring, $"{old}{newer}\n", Token);
            await (await OpenAsync(settings)).DisposeAsync();
            await File.WriteAllTextAsync(Ring, $"{newer}\n", Token);

            var refused = await Assert.ThrowsAsync<StartException>(() => OpenAsync(settings));

            Assert.Contains("lacks the key", refused.Message, StringComparison.Ordinal);
        }
    }

    private static Task<Storage> OpenAsync(Settings settings) =>
        Storage.OpenAsync(settings, Program.Composition.Settle, TimeSpan.Zero, _ => { }, Token);

    private static string[] Resealed(JsonDocument report) =>
        [
            .. report
                .RootElement.GetProperty("columns")
                .EnumerateArray()
                .Select(column =>
                    $"{column.GetProperty("column").GetString()}={column.GetProperty("resealed").GetInt32()}"
                ),
        ];

    private static async Task<string> MakeEverythingAsync(HttpClient client)
    {
        using var secret = await client.PutAsJsonAsync("/v1/secrets/key", new { value = "a value" }, Token);
        using var endpoint = await client.PostAsJsonAsync(
            "/v1/webhook-endpoints",
            new
            {
                name = "shop",
                url = "http://127.0.0.1:9/",
                event_types = new[] { "never" },
            },
            Token
        );
        using var source = await client.PostAsJsonAsync(
            "/v1/sources",
            new
            {
                name = "github",
                scheme = "github",
                secret = "a secret of ours",
            },
            Token
        );
        Assert.True(secret.IsSuccessStatusCode && endpoint.IsSuccessStatusCode && source.IsSuccessStatusCode);
        return (await source.Content.ReadFromJsonAsync<JsonElement>(Token)).GetProperty("inbound_path").GetString()!;
    }

    /// <summary>A webhook that is accepted proves that the source's secret opens.</summary>
    private static async Task<HttpStatusCode> ReceiveAsync(HttpClient client, string inbound, string text)
    {
        var body = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new { text }));
        using var request = new HttpRequestMessage(HttpMethod.Post, inbound) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Add("X-GitHub-Event", "ping");
        request.Headers.Add("X-GitHub-Delivery", Guid.NewGuid().ToString());
        var signature = HMACSHA256.HashData("a secret of ours"u8, body);
        request.Headers.Add("X-Hub-Signature-256", $"sha256={Convert.ToHexStringLower(signature)}");
        using var answer = await client.SendAsync(request, Token);
        return answer.StatusCode;
    }

    private static async Task<CliProcess> RunAsync(string connectionString, string folder, int exitCode, string[] words)
    {
        var run = await CliProcess.RunAsync(
            new Dictionary<string, string>
            {
                ["ConnectionStrings__Bellhop"] = connectionString,
                ["Bellhop__StateDirectory"] = folder,
            },
            words
        );
        Assert.True(run.ExitCode == exitCode, run.Output + run.Errors);
        return run;
    }

    private Task<CliProcess> RunAsync(string connectionString, int exitCode, params string[] words) =>
        RunAsync(connectionString, _folder, exitCode, words);

    private async Task<string> NewDatabaseAsync()
    {
        var name = $"rotate_{Guid.NewGuid():N}";
        await using var owner = NpgsqlDataSource.Create(service.OwnerConnectionString);
        await using var connection = await owner.OpenConnectionAsync(Token);
        await connection.ExecuteAsync($"CREATE DATABASE {name}".With(null, Token));
        return new NpgsqlConnectionStringBuilder(service.OwnerConnectionString) { Database = name }.ConnectionString;
    }
}
