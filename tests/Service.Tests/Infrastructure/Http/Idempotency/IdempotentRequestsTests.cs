using System.Net;
using System.Text;
using Bellhop.Infrastructure.Http.Idempotency;
using Bellhop.Infrastructure.Secrets;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http.Idempotency;

public sealed class IdempotentRequestsTests(ServiceFixture service)
{
    private const string Job = """{"kind":"noop","queue":"default","args":{"a":1,"b":[1,2]}}""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_repetition_is_answered_the_same_and_done_once()
    {
        var project = await service.NewProjectAsync();

        var first = (await project.Http.PostAsync("/v1/jobs", Job, "order-1")).Expect(HttpStatusCode.Created);
        var second = (await project.Http.PostAsync("/v1/jobs", Job, "order-1")).Expect(HttpStatusCode.Created);

        Assert.Equal((first.Text, first.Location), (second.Text, second.Location));
        Assert.Equal((false, true), (first.IsReplayed, second.IsReplayed));
        Assert.Equal(1, await JobsAsync(project));
    }

    [Fact]
    public async Task A_hundred_at_once_have_one_effect()
    {
        var project = await service.NewProjectAsync();

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 100).Select(_ => project.Http.PostAsync("/v1/jobs", Job, "order-1"))
        );

        Assert.Equal(1, await JobsAsync(project));
        Assert.Single(answers, answer => answer.Status == HttpStatusCode.Created && !answer.IsReplayed);
        Assert.All(
            answers,
            answer =>
                Assert.True(
                    answer.Status == HttpStatusCode.Created || answer.Code == "idempotency_in_progress",
                    answer.Text
                )
        );
        Assert.Single(
            answers.Where(answer => answer.Status == HttpStatusCode.Created).Select(answer => answer.Id).Distinct()
        );
    }

    [Fact]
    public async Task While_the_first_is_worked_on_another_is_told_to_wait()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync(
            "/v1/sources",
            """{"name":"github","scheme":"github","secret":"a secret of ours"}"""
        );
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await connection.ExecuteAsync("SELECT FROM sources WHERE project_id = @Id FOR UPDATE", new { project.Id });

        var first = PatchAsync();
        await Eventually.BeTrueAsync(() => IsWaitedForAsync(connection), "the first waits for the row");
        var second = await PatchAsync();
        await transaction.RollbackAsync(Token);

        Assert.Equal((409, "idempotency_in_progress"), ((int)second.Status, second.Code));
        Assert.Equal(HttpStatusCode.OK, (await first).Status);
        Assert.True((await PatchAsync()).IsReplayed);

        Task<Answer> PatchAsync() =>
            project.Http.CallAsync(
                "PATCH",
                "/v1/sources/github",
                "{}",
                headers: [("Idempotency-Key", "p"), ("If-Match", "*")]
            );
    }

    [Fact]
    public async Task Another_body_with_the_key_is_422_and_spaces_and_order_are_no_other_body()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/jobs", Job, "order-1");

        var other = await project.Http.PostAsync("/v1/jobs", """{"kind":"noop"}""", "order-1");
        var query = await project.Http.PostAsync("/v1/jobs?", Job, "order-1");
        var reordered = await project.Http.PostAsync(
            "/v1/jobs",
            """{ "args": {"b": [1, 2], "a": 1}, "queue": "default", "kind": "noop" }""",
            "order-1"
        );

        Assert.Equal((422, "idempotency_key_reused"), ((int)other.Status, other.Code));
        Assert.Equal("Idempotency-Key", other.Body.GetProperty("errors")[0].GetProperty("header").GetString());
        Assert.Equal((HttpStatusCode.Created, true), (query.Status, query.IsReplayed));
        Assert.Equal((HttpStatusCode.Created, true), (reordered.Status, reordered.IsReplayed));
        Assert.Equal(1, await JobsAsync(project));
    }

    [Fact]
    public async Task What_was_sent_cannot_be_guessed_from_what_is_kept_and_is_known_again_under_a_new_key_of_the_ring()
    {
        var folder = Directory.CreateTempSubdirectory("bellhop-idempotency-");
        try
        {
            var path = Path.Combine(folder.FullName, "keyring");
            KeyRing.LoadOrCreate(path);
            await using var own = await OwnService.StartAsync(service, keyRing: path);
            var key = await own.NewKeyAsync();
            using var http = new HttpClient { BaseAddress = own.Address };
            http.DefaultRequestHeaders.Authorization = new("Bearer", key);
            (await http.PostAsync("/v1/jobs", Job, "order-1")).Expect(HttpStatusCode.Created);
            KeyRing.AddKey(path);
            await using var later = await OwnService.StartAsync(service, keyRing: path, beside: own);
            using var again = new HttpClient { BaseAddress = later.Address };
            again.DefaultRequestHeaders.Authorization = new("Bearer", key);

            Assert.True((await again.PostAsync("/v1/jobs", Job, "order-1")).Expect(HttpStatusCode.Created).IsReplayed);
            await using var connection = await own.Database.OpenConnectionAsync(Token);
            var kept = await connection.QuerySingleAsync<byte[]>("SELECT request_sha256 FROM idempotency_keys");
            Assert.NotEqual(IdempotencyKey.Fingerprint("", Encoding.UTF8.GetBytes(Job)), kept);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_request_that_was_refused_may_be_mended()
    {
        var project = await service.NewProjectAsync();

        var refused = await project.Http.PostAsync("/v1/jobs", """{"kind":"noop","queue":"nowhere"}""", "order-1");
        var mended = await project.Http.PostAsync("/v1/jobs", Job, "order-1");

        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.Status);
        Assert.Equal((HttpStatusCode.Created, false), (mended.Status, mended.IsReplayed));
    }

    [Theory]
    [InlineData("/v1/jobs/")]
    [InlineData("/V1/Jobs")]
    public async Task The_same_route_spelled_otherwise_is_the_same_route(string path)
    {
        var project = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/jobs", Job, "same");

        Assert.True((await project.Http.PostAsync(path, Job, "same")).IsReplayed);
    }

    [Fact]
    public async Task A_key_counts_in_its_project_and_route_alone()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        await project.Http.PostAsync("/v1/jobs", Job, "same");

        var elsewhere = await other.Http.PostAsync("/v1/jobs", Job, "same");
        var source = await project.Http.PostAsync(
            "/v1/sources",
            """{"name":"github","scheme":"github","secret":"a secret of ours"}""",
            "same"
        );

        Assert.Equal((HttpStatusCode.Created, false), (elsewhere.Status, elsewhere.IsReplayed));
        Assert.Equal((HttpStatusCode.Created, false), (source.Status, source.IsReplayed));
    }

    [Fact]
    public async Task Nobody_is_answered_what_somebody_else_was()
    {
        var project = await service.NewProjectAsync();
        var first = (await project.Http.PostAsync("/v1/jobs", Job, "order-1")).Expect(HttpStatusCode.Created);
        await project.UseKeyAsync("owner");

        var second = (await project.Http.PostAsync("/v1/jobs", Job, "order-1")).Expect(HttpStatusCode.Created);

        Assert.False(second.IsReplayed);
        Assert.NotEqual(first.Text, second.Text);
    }

    [Fact]
    public async Task Names_that_differ_by_case_alone_are_two()
    {
        var project = await service.NewProjectAsync();
        foreach (var name in (string[])["Shop", "shop"])
        {
            var made = await project.Http.PostAsync("/v1/api-keys", $$"""{"name":"{{name}}","role":"viewer"}""");
            made.Expect(HttpStatusCode.Created);
        }

        var upper = await project.Http.PostAsync("/v1/api-keys/Shop/rotate", "{}", "same");
        var lower = await project.Http.PostAsync("/v1/api-keys/shop/rotate", "{}", "same");
        var again = await project.Http.PostAsync("/v1/API-keys/shop/rotate/", "{}", "same");

        Assert.Equal((HttpStatusCode.OK, false), (lower.Status, lower.IsReplayed));
        Assert.NotEqual(upper.Expect(HttpStatusCode.OK).Text, lower.Text);
        Assert.Equal((lower.Text, true), (again.Text, again.IsReplayed));
    }

    [Fact]
    public async Task A_secret_that_was_shown_once_is_replayed_and_lies_sealed()
    {
        var project = await service.NewProjectAsync();
        const string Endpoint = """{"name":"shop","url":"http://127.0.0.1:9/hook","event_types":["*"]}""";

        var first = await project.Http.PostAsync("/v1/webhook-endpoints", Endpoint, "\"made \\\"once\\\"\"");
        var refused = await project.Http.PostAsync("/v1/webhook-endpoints", Endpoint);
        var quoted = await project.Http.PostAsync("/v1/webhook-endpoints", Endpoint, "k");

        Assert.Equal((400, "invalid_header"), ((int)first.Status, first.Code)); // a space is not visible
        Assert.Equal(HttpStatusCode.Created, refused.Status);
        Assert.Equal((409, "name_taken"), ((int)quoted.Status, quoted.Code));
        var kept = await project.Http.PostAsync(
            "/v1/webhook-endpoints",
            Endpoint.Replace("shop", "shop-2", StringComparison.Ordinal),
            "\"a\\\"b\""
        );
        var again = await project.Http.PostAsync(
            "/v1/webhook-endpoints",
            Endpoint.Replace("shop", "shop-2", StringComparison.Ordinal),
            "a\"b"
        );
        Assert.Equal((kept.Text, true), (again.Text, again.IsReplayed));
        Assert.Equal((kept.ETag, kept.Location), (again.ETag, again.Location));
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        var row = await connection.QuerySingleAsync<string>(
            "SELECT idempotency_keys::text FROM idempotency_keys WHERE project_id = @Id",
            new { project.Id }
        );
        Assert.DoesNotContain(kept.Body.GetProperty("secret").GetString()![6..], row, StringComparison.Ordinal);
        Assert.DoesNotContain("shop-2", row, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("\"open")]
    [InlineData("\"a\\b\"")]
    [InlineData("\"\"")]
    public async Task What_is_no_key_is_400_and_named(string key)
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.PostAsync("/v1/jobs", Job, key);

        Assert.Equal((400, "invalid_header"), ((int)answer.Status, answer.Code));
        Assert.Equal("Idempotency-Key", answer.Body.GetProperty("errors")[0].GetProperty("header").GetString());
    }

    [Fact]
    public async Task A_key_is_255_characters_long_at_most_and_given_once()
    {
        var project = await service.NewProjectAsync();

        var longest = await project.Http.PostAsync("/v1/jobs", Job, new string('k', 255));
        var longer = await project.Http.PostAsync("/v1/jobs", Job, new string('k', 256));
        var twice = await project.Http.CallAsync(
            "POST",
            "/v1/jobs",
            Job,
            headers: [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        );

        Assert.Equal(
            [HttpStatusCode.Created, HttpStatusCode.BadRequest, HttpStatusCode.BadRequest],
            [longest.Status, longer.Status, twice.Status]
        );
    }

    [Fact]
    public async Task A_patch_takes_a_key_too()
    {
        var project = await service.NewProjectAsync();
        var made = await project.Http.PostAsync(
            "/v1/sources",
            """{"name":"github","scheme":"github","secret":"a secret of ours"}"""
        );
        (string, string)[] headers = [("Idempotency-Key", "p"), ("If-Match", made.ETag!)];

        var first = await project.Http.CallAsync(
            "PATCH",
            "/v1/sources/github",
            """{"secret":"another secret"}""",
            headers: headers
        );
        var second = await project.Http.CallAsync(
            "PATCH",
            "/v1/sources/github",
            """{"secret":"another secret"}""",
            headers: headers
        );

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (first.Status, second.Status));
        Assert.Equal((first.Text, true), (second.Text, second.IsReplayed));
    }

    private static Task<bool> IsWaitedForAsync(NpgsqlConnection connection) =>
        connection.QuerySingleAsync<bool>(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_blocking_pids(pid) @> ARRAY[pg_backend_pid()])"
        );

    private static async Task<long> JobsAsync(TestProject project)
    {
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        return await connection.QuerySingleAsync<long>(
            """
            SELECT
                (SELECT count(*) FROM jobs WHERE project_id = @Id) + (SELECT count(*) FROM job_history WHERE project_id = @Id)
            """,
            new { project.Id }
        );
    }
}
