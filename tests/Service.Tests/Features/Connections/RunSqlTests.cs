using System.Net;
using System.Text.Json;
using Bellhop.Features.Connections;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Logs;
using Bellhop.Tests.Support;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class RunSqlTests(ServiceFixture service, OutsideDatabases outside) : IClassFixture<OutsideDatabases>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Values_keep_their_types_and_columns_their_order()
    {
        var project = await ConnectedAsync();

        var result = await ResultAsync(
            project,
            """
            SELECT 7::bigint AS id, 1042.50::numeric(10,2) AS total, true AS paid, NULL::text AS note, 'Zoë "x"' AS name,
                timestamptz '2026-11-28 01:30:00.5+02' AS at, jsonb '{"a":[1,null]}' AS doc, 'NaN'::float8 AS odd,
                date '2026-11-28' AS day, ARRAY['a','b'] AS tags, 1e400::numeric AS huge, 1 AS id
            """
        );

        Assert.Equal(
            """{"columns":["id","total","paid","note","name","at","doc","odd","day","tags","huge","id_2"],"rows":[{"id":7,"total":1042.50,"paid":true,"note":null,"name":"Zoë \"x\"","at":"2026-11-27T23:30:00.5Z","doc":{"a":[1,null]},"odd":"NaN","day":"2026-11-28","tags":"{a,b}","huge":"1HUGE","id_2":1}],"truncated":false,"affected":null}""".Replace(
                "1HUGE",
                "1" + new string('0', 400),
                StringComparison.Ordinal
            ),
            result.GetRawText()
        );
    }

    [Fact]
    public async Task Parameters_are_values_and_never_text_of_the_statement()
    {
        var project = await ConnectedAsync();
        var table = await outside.NewTableAsync("id integer, name text, doc jsonb, at timestamptz");
        const string Evil = "x'); DROP TABLE orders; --";

        var named = await ResultAsync(
            project,
            $"INSERT INTO {table} VALUES (@id, @name, @doc, @at) RETURNING id, name, doc ->> 'a' AS a, at",
            new
            {
                id = 7,
                name = Evil,
                doc = new { a = "b" },
                at = "2026-11-28T00:00:00Z",
            }
        );
        var listed = await ResultAsync(
            project,
            $"SELECT name FROM {table} WHERE id = $1 AND name = $2 LIMIT $3",
            new object[] { 7, Evil, 1 }
        );

        Assert.Equal(1, named.GetProperty("affected").GetInt32());
        Assert.Equal(
            $$"""[{"id":7,"name":"{{Evil}}","a":"b","at":"2026-11-28T00:00:00Z"}]""",
            named.GetProperty("rows").GetRawText()
        );
        Assert.Equal(Evil, listed.GetProperty("rows")[0].GetProperty("name").GetString());
    }

    [Fact]
    public async Task A_statement_can_name_its_job_and_claim_and_so_have_its_effect_once()
    {
        var project = await ConnectedAsync();
        var table = await outside.NewTableAsync("job uuid PRIMARY KEY, claim bigint");
        var call = new SqlCall(
            "shop",
            $"INSERT INTO {table} VALUES (@job_id, @claim_no) ON CONFLICT (job) DO UPDATE SET claim = EXCLUDED.claim "
                + $"WHERE {table}.claim < EXCLUDED.claim"
        );
        var job = Guid.CreateVersion7();

        var outcomes = new List<string>();
        foreach (var claimNo in (long[])[2, 1, 3]) // the second one comes back from the dead
        {
            var report = (await project.SendAsync(new RunSql.Command(job, claimNo, call))).Unwrap();
            outcomes.Add($"{report.Outcome}");
        }

        Assert.Equal(3, await outside.ScalarAsync($"SELECT claim FROM {table} WHERE job = '{job}'"));
        Assert.Contains("\"affected\":0", outcomes[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_too_much_is_cut_and_said_while_the_statement_is_done_whole()
    {
        var project = await ConnectedAsync();
        var table = await outside.NewTableAsync("n integer, text text");

        var many = await ResultAsync(
            project,
            $"INSERT INTO {table} SELECT n, 'x' FROM generate_series(1, 5000) n RETURNING n",
            maxRows: 3
        );
        var large = await ResultAsync(project, "SELECT n, repeat('y', 50000) AS t FROM generate_series(1, 10) n");
        var huge = await ResultAsync(project, "SELECT 1 AS n, repeat('z', 100000000) AS t");

        Assert.Equal("""[{"n":1},{"n":2},{"n":3}]""", many.GetProperty("rows").GetRawText());
        Assert.Equal(
            (true, 5000),
            (many.GetProperty("truncated").GetBoolean(), many.GetProperty("affected").GetInt32())
        );
        Assert.Equal(5000, await outside.ScalarAsync($"SELECT count(*) FROM {table}"));
        Assert.Equal(
            (3, true),
            (large.GetProperty("rows").GetArrayLength(), large.GetProperty("truncated").GetBoolean())
        );
        Assert.Equal(
            (0, true),
            (huge.GetProperty("rows").GetArrayLength(), huge.GetProperty("truncated").GetBoolean())
        );
    }

    [Fact]
    public async Task All_of_it_is_one_transaction()
    {
        var project = await ConnectedAsync();
        var table = await outside.NewTableAsync("n integer PRIMARY KEY");

        var job = await EndedAsync(project, $"INSERT INTO {table} VALUES (1); INSERT INTO {table} VALUES (1)");
        var vacuum = await ResultAsync(project, $"VACUUM {table}"); // which wants none around it

        Assert.Equal("statement_failed", Code(job));
        Assert.Equal(0, await outside.ScalarAsync($"SELECT count(*) FROM {table}"));
        Assert.Equal("""{"columns":[],"rows":[],"truncated":false,"affected":null}""", vacuum.GetRawText());
    }

    [Fact]
    public async Task Secrets_are_taken_by_reference_and_stand_nowhere()
    {
        const string Secret = "kanarienvogel-5ba0";
        var project = await ConnectedAsync();
        (await project.Http.ChangeAsync("PUT", "/v1/secrets/crm", $$"""{"value":"{{Secret}}"}""")).Expect(
            HttpStatusCode.Created
        );
        var parameters = new { key = new { secret = "crm" } };

        var good = await EndedAsync(
            project,
            "SELECT @key AS key, length(@key) AS size, jsonb_build_object('deep', @key::text) AS doc, 'canary-postgres' || '-2b8' AS own",
            parameters
        );
        var bad = await EndedAsync(project, "SELECT @key::integer", parameters);
        var none = await EndedAsync(project, "SELECT @key", new { key = new { secret = "nobody" } });

        Assert.Equal(
            """[{"key":"***","size":18,"doc":{"deep":"***"},"own":"***"}]""",
            good.GetProperty("result").GetProperty("rows").GetRawText()
        );
        Assert.Contains(
            "22P02: invalid input syntax for type integer: \"***\"",
            Message(bad),
            StringComparison.Ordinal
        );
        Assert.Equal("unknown_secret", Code(none));
        Assert.All(
            [good, bad],
            job =>
            {
                Assert.DoesNotContain(Secret, job.GetRawText(), StringComparison.Ordinal);
                Assert.DoesNotContain(TlsPostgreSql.Password, job.GetRawText(), StringComparison.Ordinal);
            }
        );
    }

    [Theory]
    [InlineData("SELEC 1", "42601")]
    [InlineData("SELECT * FROM nowhere", "42P01")]
    [InlineData("SELECT pg_read_file('/etc/passwd') FROM pg_authid WHERE 1 / 0 = 1", "22012")]
    [InlineData("SELECT @none", "42703")]
    [InlineData("COPY (SELECT 1) TO STDOUT", "")]
    public async Task What_the_server_says_of_a_statement_is_final(string statement, string says)
    {
        var project = await ConnectedAsync();

        var job = await EndedAsync(project, statement);

        Assert.Equal(("failed", "statement_failed"), (job.State(), Code(job)));
        Assert.Contains(says, Message(job), StringComparison.Ordinal);
        Assert.Equal(1, job.GetProperty("attempt").GetInt32());
    }

    [Theory]
    [InlineData("40001")]
    [InlineData("40P01")]
    [InlineData("55P03")]
    [InlineData("57P03")]
    public async Task What_may_pass_is_tried_again(string state)
    {
        var project = await ConnectedAsync();

        var id = await EnqueueAsync(
            project,
            $"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$",
            retry: true
        );

        var job = await TestJobs.BecomeAsync(project, id, "failed");
        Assert.Equal((2, "statement_failed"), (job.GetProperty("attempt").GetInt32(), Code(job)));
        Assert.StartsWith($"{state}: no", Message(job), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_that_is_ended_is_tried_again()
    {
        var project = await ConnectedAsync();

        var id = await EnqueueAsync(project, "SELECT pg_terminate_backend(pg_backend_pid())", retry: true);

        var job = await TestJobs.BecomeAsync(project, id, "failed");
        Assert.Equal(2, job.GetProperty("attempt").GetInt32());
    }

    [Fact]
    public async Task A_statement_whose_time_is_over_is_cancelled_on_the_server()
    {
        var project = await ConnectedAsync();

        var job = await EndedAsync(project, "SELECT pg_sleep(3600), 'overdue'", timeoutSeconds: 0.5);

        Assert.Equal("timeout", Code(job));
        await outside.HasNoStatementAsync("overdue");
    }

    [Fact]
    public async Task A_job_that_is_cancelled_cancels_its_statement_on_the_server()
    {
        var project = await ConnectedAsync();
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var scope = service.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(project.Id, "test"));
        var call = new SqlCall("shop", "SELECT pg_sleep(3600), 'unwanted'", TimeoutSeconds: 600);
        var running = scope
            .ServiceProvider.GetRequiredService<IMediator>()
            .Send(new RunSql.Command(Guid.CreateVersion7(), 1, call), cancellation.Token);
        await outside.HasStatementAsync("unwanted");

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        await outside.HasNoStatementAsync("unwanted");
    }

    [Fact]
    public async Task Where_nothing_listens_or_nobody_is_let_in_the_code_says_so()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("down", Connection("postgresql", ServiceProcess.FreePort(), "shop", "s"));
        await project.MakeAsync("locked", Connection("postgresql", outside.PostgreSql.Port, "shop", "canary-wrong"));

        var down = await EndedAsync(project, "SELECT 1", connection: "down");
        var locked = await EndedAsync(project, "SELECT 1", connection: "locked");

        Assert.Equal(("connect_failed", "login_failed"), (Code(down), Code(locked)));
        Assert.DoesNotContain("canary", locked.GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"connection":"nobody","statement":"SELECT 1"}""", "unknown_connection")]
    [InlineData("""{"connection":"api","statement":"SELECT 1"}""", "wrong_connection_kind")]
    [InlineData("""{"connection":"private","statement":"SELECT 1"}""", "address_not_allowed")]
    [InlineData("""{"statement":"SELECT 1"}""", "invalid_args")]
    [InlineData("""{"connection":"shop"}""", "invalid_args")]
    [InlineData("""{"connection":"shop","statement":"SELECT 1","parameters":"x"}""", "invalid_args")]
    [InlineData("""{"connection":"shop","statement":"SELECT 1","parameters":{"a b":1}}""", "invalid_args")]
    [InlineData("""{"connection":"shop","statement":"SELECT 1","parameters":{"job_id":1}}""", "invalid_args")]
    [InlineData("""{"connection":"shop","statement":"SELECT 1","max_rows":1001}""", "invalid_args")]
    [InlineData("""{"connection":"shop","statement":"SELECT 1","timeout_seconds":0}""", "invalid_args")]
    [InlineData("""{"connection":"shop","statement":"SELECT 1","user":"root"}""", "invalid_args")]
    public async Task What_cannot_be_executed_fails_at_once(string args, string code)
    {
        var project = await ConnectedAsync();
        await project.MakeAsync("api", """{"kind":"http","config":{"base_url":"http://127.0.0.1:9"}}""");
        await project.MakeAsync(
            "private",
            """{"kind":"postgresql","config":{"host":"db.example.com","database":"d","user":"u"},"secret":{"value":"s"}}"""
        );
        // as a name may lead elsewhere after it was saved
        await TestJobs.ExecuteAsync(
            service.Database,
            "UPDATE connections SET config = replace(config::text, 'db.example.com', '10.0.0.1')::json WHERE project_id = @Id",
            new { project.Id }
        );

        var answer = await project.Http.PostAsync("/v1/jobs", $$"""{"kind":"sql","max_attempts":1,"args":{{args}}}""");
        var job = await TestJobs.BecomeAsync(project, answer.Expect(HttpStatusCode.Created).Id, "failed");

        Assert.Equal(code, Code(job));
    }

    [Fact]
    public async Task Neither_another_project_nor_a_viewer_nor_who_is_narrowed_reaches_a_connection()
    {
        var mine = await ConnectedAsync();
        var yours = await service.NewProjectAsync();
        const string Job = """{"kind":"sql","args":{"connection":"shop","statement":"SELECT 1"}}""";

        var elsewhere = await EndedAsync(yours, "SELECT 1");
        var narrowed = await TestUser.CreateAsync(service, mine.Id, "developer", new Access { Tags = ["shop"] });
        var refused = await narrowed.Http.PostAsync("/v1/jobs", Job);
        var statuses = new List<HttpStatusCode>();
        foreach (var role in (string[])["viewer", "operator", "worker", "developer"])
        {
            await mine.UseKeyAsync(role);
            statuses.Add((await mine.Http.PostAsync("/v1/jobs", Job)).Status);
        }

        Assert.Equal("unknown_connection", Code(elsewhere));
        Assert.Equal((HttpStatusCode.Forbidden, "forbidden"), (refused.Status, refused.Code));
        Assert.Equal(
            [HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.Created],
            statuses
        );
    }

    [Fact]
    public async Task A_MariaDB_answers_in_the_same_way()
    {
        await using var server = await MariaDbServer.StartAsync(outside.Files());
        var project = await service.NewProjectAsync();
        await project.MakeAsync("shop", Connection("mysql", server.Port, "writer", MariaDbServer.Password));
        await ResultAsync(
            project,
            "CREATE TABLE orders (id INT PRIMARY KEY, total DECIMAL(40,2), note TEXT, made DATETIME(3))"
        );
        const string Evil = """x\'); DROP TABLE orders; -- """;

        var inserted = await ResultAsync(
            project,
            "INSERT INTO orders VALUES (@id, @total, @note, '2026-11-28 01:02:03.5'), (@id + 1, NULL, @job_id, NULL)",
            new
            {
                id = 7,
                total = JsonElement.Parse("12345678901234567890123456789.25"),
                note = Evil,
            }
        );
        var read = await ResultAsync(
            project,
            "SELECT id, total, note = ? AS same, made, 0x00ff AS raw FROM orders ORDER BY id LIMIT ?",
            new object[] { Evil, 1 }
        );
        var half = await EndedAsync(
            project,
            "DELETE FROM orders; INSERT INTO orders VALUES (1, 1, '', NULL); SELECT nothing"
        );
        var late = await EndedAsync(project, "SELECT SLEEP(3600) AS overdue", timeoutSeconds: 0.5);
        var kept = await ResultAsync(project, "SELECT count(*) AS n FROM orders");

        Assert.Equal(2, inserted.GetProperty("affected").GetInt32());
        Assert.Equal(
            """[{"id":7,"total":12345678901234567890123456789.25,"same":1,"made":"2026-11-28 01:02:03.5","raw":"AP8="}]""",
            read.GetProperty("rows").GetRawText()
        );
        Assert.Equal(("statement_failed", "timeout"), (Code(half), Code(late)));
        Assert.StartsWith("1054: ", Message(half), StringComparison.Ordinal);
        Assert.Equal("""[{"n":2}]""", kept.GetProperty("rows").GetRawText());
        Assert.Equal(
            "[]",
            (
                await ResultAsync(
                    project,
                    "SELECT info FROM information_schema.processlist WHERE info LIKE '%over%due%' AND info NOT LIKE '%processlist%'"
                )
            )
                .GetProperty("rows")
                .GetRawText()
        );
    }

    private static string Connection(string kind, int port, string user, string secret) =>
        $$"""{"kind":"{{kind}}","config":{"host":"127.0.0.1","port":{{port}},"database":"shop","user":"{{user}}","tls":"off"},"secret":{"value":"{{secret}}"} }""";

    [Fact]
    public async Task What_the_server_says_meanwhile_is_in_the_log_of_the_job_without_secrets()
    {
        var project = await ConnectedAsync();

        var ended = await EndedAsync(
            project,
            $"DO $$ BEGIN RAISE NOTICE 'begun as {TlsPostgreSql.Password}'; RAISE WARNING 'slow'; END $$"
        );

        Assert.Equal("succeeded", ended.State());
        var log = await TestLogs.ReadAsync(project, ended.GetProperty("id").GetGuid());
        Assert.Equal([("info", "begun as ***"), ("warning", "slow")], log.Select(line => (line.Level, line.Text)));
    }

    private static string Code(JsonElement job) => job.GetProperty("error").GetProperty("code").GetString()!;

    private static string Message(JsonElement job) => job.GetProperty("error").GetProperty("message").GetString()!;

    private async Task<TestProject> ConnectedAsync()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync(
            "shop",
            Connection("postgresql", outside.PostgreSql.Port, "shop", TlsPostgreSql.Password)
        );
        return project;
    }

    private static async Task<JsonElement> ResultAsync(
        TestProject project,
        string statement,
        object? parameters = null,
        int maxRows = 1_000
    )
    {
        var job = await EndedAsync(project, statement, parameters, maxRows);
        Assert.True(job.State() == "succeeded", job.GetRawText());
        return job.GetProperty("result");
    }

    private static async Task<JsonElement> EndedAsync(
        TestProject project,
        string statement,
        object? parameters = null,
        int maxRows = 1_000,
        double timeoutSeconds = 30,
        string connection = "shop"
    )
    {
        var id = await EnqueueAsync(project, statement, parameters, maxRows, timeoutSeconds, connection);
        return await Eventually.FitAsync(
            () => TestJobs.GetAsync(project, id),
            job => job.State() is "succeeded" or "failed"
        );
    }

    private static async Task<Guid> EnqueueAsync(
        TestProject project,
        string statement,
        object? parameters = null,
        int maxRows = 1_000,
        double timeoutSeconds = 30,
        string connection = "shop",
        bool retry = false
    )
    {
        var job = new
        {
            kind = "sql",
            retry = new
            {
                max_attempts = retry ? 2 : 1,
                strategy = "list",
                delays_seconds = new[] { 0 },
            },
            args = new
            {
                connection,
                statement,
                parameters,
                max_rows = maxRows,
                timeout_seconds = timeoutSeconds,
            },
        };
        return (await project.Http.PostAsync("/v1/jobs", JsonSerializer.Serialize(job)))
            .Expect(HttpStatusCode.Created)
            .Id;
    }
}

/// <summary>Databases that are not the service's own.</summary>
public sealed class OutsideDatabases : IAsyncLifetime
{
    private readonly ThrowAwayAuthority _authority = new();
    private readonly string _home = Directory.CreateTempSubdirectory("bellhop-outside-").FullName;
    private NpgsqlDataSource? _shop;

    internal TlsPostgreSql PostgreSql { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        PostgreSql = await TlsPostgreSql.StartAsync(Files());
        _shop = NpgsqlDataSource.Create(
            $"Host=127.0.0.1;Port={PostgreSql.Port};Username=shop;Password={TlsPostgreSql.Password};Database=shop"
        );
    }

    public (string Certificate, string Key) Files() =>
        _authority.Write(Directory.CreateDirectory(Path.Combine(_home, $"{Guid.NewGuid():N}")).FullName, "localhost");

    public async Task<string> NewTableAsync(string columns)
    {
        var name = $"t_{Guid.NewGuid():N}";
        await using var command = _shop!.CreateCommand($"CREATE TABLE {name} ({columns})");
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        return name;
    }

    public async Task<long> ScalarAsync(string query)
    {
        await using var command = _shop!.CreateCommand(query);
        return (long)(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }

    public Task HasStatementAsync(string part) => CountAsync(part, count => count > 0);

    public Task HasNoStatementAsync(string part) => CountAsync(part, count => count == 0);

    public async ValueTask DisposeAsync()
    {
        await _shop!.DisposeAsync();
        await PostgreSql.DisposeAsync();
        _authority.Dispose();
        Directory.Delete(_home, recursive: true);
    }

    private Task<long> CountAsync(string part, Func<long, bool> fits) =>
        Eventually.FitAsync(
            () =>
                ScalarAsync(
                    $"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{part}%' AND pid <> pg_backend_pid()"
                ),
            fits
        );
}
