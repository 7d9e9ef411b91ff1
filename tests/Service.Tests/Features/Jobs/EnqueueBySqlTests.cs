using System.Net;
using System.Net.Http.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

/// <summary><c>SELECT bellhop.enqueue(…)</c>, as a service on the same PostgreSQL calls it: a role that may do nothing else.</summary>
public sealed class EnqueueBySqlTests(ServiceFixture service) : IAsyncLifetime
{
    private readonly string _role = $"shop_{Guid.NewGuid():N}";
    private NpgsqlDataSource _shop = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await OwnerAsync(
            $"""
            CREATE ROLE {_role} LOGIN;
            GRANT USAGE ON SCHEMA bellhop TO {_role};
            GRANT EXECUTE ON FUNCTION bellhop.enqueue TO {_role};
            """
        );
        var settings = new NpgsqlConnectionStringBuilder(service.OwnerConnectionString)
        {
            Options = $"-c role={_role}",
            Pooling = false,
        };
        _shop = NpgsqlDataSource.Create(settings);
    }

    public async ValueTask DisposeAsync()
    {
        await _shop.DisposeAsync();
        await OwnerAsync($"DROP OWNED BY {_role}; DROP ROLE {_role};");
    }

    [Fact]
    public async Task A_job_is_there_when_the_callers_transaction_is_and_not_when_it_is_rolled_back()
    {
        var project = await service.NewProjectAsync();
        await using var connection = await _shop.OpenConnectionAsync(Token);

        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await EnqueueAsync(connection, project, "unique_key => 'order-7'");
            await transaction.RollbackAsync(Token);
        }

        Assert.Equal(0, await CountAsync(project, "jobs"));
        Assert.Equal(0, await CountAsync(project, "job_history"));
        Assert.Equal(0, await CountAsync(project, "job_keys"));

        Guid id;
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            id = await EnqueueAsync(connection, project, "unique_key => 'order-7'");
            Assert.Equal(0, await CountAsync(project, "jobs"));
            await transaction.CommitAsync(Token);
        }

        await TestJobs.BecomeAsync(project, id, "succeeded");
    }

    [Fact]
    public async Task The_job_is_what_was_said()
    {
        var project = await service.NewProjectAsync();
        await using var connection = await _shop.OpenConnectionAsync(Token);

        var id = await EnqueueAsync(
            connection,
            project,
            """
            kind => 'log', args => '{"message":"hello"}', run_at => '2999-01-01T00:00:00Z', priority => 1, lane => 'customer 7',
            tags => '{nightly,order-7}', start_before => '2999-01-02T00:00:00Z', max_attempts => 3
            """
        );

        var job = await TestJobs.GetAsync(project, id);
        Assert.Equal("ready", job.State());
        Assert.Equal("default", job.GetProperty("queue").GetString());
        Assert.Equal("log", job.GetProperty("kind").GetString());
        Assert.Equal("hello", job.GetProperty("args").GetProperty("message").GetString());
        Assert.StartsWith("2999-01-01T00:00:00", job.GetProperty("run_at").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("2999-01-02T00:00:00", job.GetProperty("start_before").GetString(), StringComparison.Ordinal);
        Assert.Equal(1, job.GetProperty("priority").GetInt32());
        Assert.Equal(3, job.GetProperty("max_attempts").GetInt32());
        Assert.Equal("customer 7", job.GetProperty("lane").GetString());
        Assert.Equal(["nightly", "order-7"], job.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()!));
    }

    [Fact]
    public async Task In_a_lane_with_a_limit_it_waits_until_the_sweep_admits_it()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PutAsJsonAsync("/v1/queues/lanes", new { served_by = "service", lane_limit = 1 }, Token);
        await using var connection = await _shop.OpenConnectionAsync(Token);

        var id = await EnqueueAsync(
            connection,
            project,
            "queue => 'lanes', lane => 'a', run_at => '2999-01-01T00:00:00Z'"
        );
        Assert.Equal("waiting", (await TestJobs.GetAsync(project, id)).State());

        await TestJobs.MakeDueAsync(project, id);
        await service.SendAsync(project.Id, new AdmitJobs.Command());
        await TestJobs.BecomeAsync(project, id, "succeeded");
    }

    [Fact]
    public async Task A_key_that_is_held_is_answered_with_its_holder_or_refused()
    {
        var project = await service.NewProjectAsync();
        await using var connection = await _shop.OpenConnectionAsync(Token);
        const string Later = "run_at => '2999-01-01T00:00:00Z', unique_key => 'order-7'";

        var first = await EnqueueAsync(connection, project, Later);

        Assert.Equal(first, await EnqueueAsync(connection, project, Later));
        Assert.Equal(1, await CountAsync(project, "jobs"));
        var refused = await Assert.ThrowsAsync<PostgresException>(() =>
            EnqueueAsync(connection, project, Later + ", on_conflict => 'reject'")
        );
        Assert.Equal(PostgresErrorCodes.UniqueViolation, refused.SqlState);
        Assert.Contains($"{first}", refused.MessageText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(1)]
    public async Task Of_many_who_take_a_key_at_once_one_has_it_and_who_rolls_back_has_taken_none(int oneIn)
    {
        var project = await service.NewProjectAsync();
        await TestJobs.HoldQueueAsync(project, "default", "now()");

        var told = await Task.WhenAll(
            Enumerable
                .Range(0, 24)
                .Select(number =>
                    Task.Run(
                        async () =>
                        {
                            await using var connection = await _shop.OpenConnectionAsync(Token);
                            await using var transaction = await connection.BeginTransactionAsync(Token);
                            var id = await EnqueueAsync(connection, project, "unique_key => 'order-7'");
                            if (number % oneIn == 0)
                            {
                                await transaction.RollbackAsync(Token);
                                return (Guid?)null;
                            }

                            await transaction.CommitAsync(Token);
                            return id;
                        },
                        Token
                    )
                )
        );

        var live = oneIn == 1 ? 0 : 1;
        Assert.Equal(live, told.OfType<Guid>().Distinct().Count());
        Assert.Equal((live, live), (await CountAsync(project, "jobs"), await CountAsync(project, "job_keys")));
        await using var last = await _shop.OpenConnectionAsync(Token);
        var next = await EnqueueAsync(last, project, "unique_key => 'order-7'");
        Assert.Equal(1, await CountAsync(project, "jobs"));
        Assert.Equal(next, told.FirstOrDefault(id => id is not null) ?? next);
    }

    [Fact]
    public async Task A_key_ends_with_the_job_as_one_that_was_taken_over_the_API_does()
    {
        var project = await service.NewProjectAsync();
        await using var connection = await _shop.OpenConnectionAsync(Token);

        var first = await EnqueueAsync(connection, project, "unique_key => 'order-7'");
        await TestJobs.BecomeAsync(project, first, "succeeded");
        Assert.NotEqual(first, await EnqueueAsync(connection, project, "unique_key => 'order-7'"));

        const string Hourly = "unique_key => 'hourly', unique_until => 'seconds', unique_seconds => 3600";
        var second = await EnqueueAsync(connection, project, Hourly);
        await TestJobs.BecomeAsync(project, second, "succeeded");
        Assert.Equal(second, await EnqueueAsync(connection, project, Hourly));
    }

    [Theory]
    [InlineData("queue => 'nowhere'", "the project has no queue nowhere")]
    [InlineData("queue => NULL", "the project has no queue")]
    [InlineData("kind => ''", "kind: 1 to 100 characters")]
    [InlineData("args => '[1]'", "args: they must be an object")]
    [InlineData("args => json_build_object('text', repeat('x', 262144))", "args: 256 KiB at most")]
    [InlineData("args => ('{\"a\":' || repeat('[', 63) || repeat(']', 63) || '}')::json", null)]
    [InlineData("args => ('{\"a\":' || repeat('[', 64) || repeat(']', 64) || '}')::json", "63 deep at most")]
    [InlineData("args => '{\"a\":\"\\u0000\"}'", "args: without the character")]
    [InlineData("args => '{\"a\":\"\\\\u0000\"}'", null)]
    [InlineData("run_at => 'infinity'", "run_at: between the years 2000 and 9998")]
    [InlineData("priority => 5", "priority: 1 to 4")]
    [InlineData("lane => ''", "lane: 1 to 200 characters")]
    [InlineData("unique_key => ''", "unique_key: 1 to 200 characters")]
    [InlineData("unique_key => 'a', unique_until => 'never'", "unique_until: start, finish or seconds")]
    [InlineData("unique_key => 'a', unique_seconds => 5", "unique_seconds: given where")]
    [InlineData("unique_key => 'a', on_conflict => 'replace'", "on_conflict: keep or reject")]
    [InlineData("tags => '{Nightly}'", "tags: 1 to 63 lower-case letters")]
    [InlineData("run_at => '2999-01-01', start_before => '2998-01-01'", "start_before: later than run_at")]
    [InlineData("max_attempts => 0", "max_attempts: 1 to 1000")]
    public async Task What_is_not_sound_is_refused_and_the_message_says_why(string arguments, string? message)
    {
        var project = await service.NewProjectAsync();
        await using var connection = await _shop.OpenConnectionAsync(Token);
        if (message is null)
        {
            await EnqueueAsync(connection, project, arguments + ", run_at => '2999-01-01'");
            return;
        }

        var refused = await Assert.ThrowsAsync<PostgresException>(() => EnqueueAsync(connection, project, arguments));

        Assert.Equal(PostgresErrorCodes.InvalidParameterValue, refused.SqlState);
        Assert.StartsWith("bellhop.enqueue: ", refused.MessageText, StringComparison.Ordinal);
        Assert.Contains(message, refused.MessageText, StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync(project, "jobs"));
    }

    [Fact]
    public async Task A_project_that_is_not_there_is_refused()
    {
        await using var connection = await _shop.OpenConnectionAsync(Token);
        var id = Guid.NewGuid();

        var refused = await Assert.ThrowsAsync<PostgresException>(() =>
            connection.QuerySingleAsync<Guid>(
                "SELECT bellhop.enqueue(@Id, 'default', 'noop')".With(new { Id = id }, Token)
            )
        );

        Assert.Contains($"there is no project {id}", refused.MessageText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_kind_that_the_service_keeps_to_itself_is_refused_for_workers_as_well()
    {
        var project = await service.NewProjectAsync();
        await using var connection = await _shop.OpenConnectionAsync(Token);
        var kinds = service
            .Services.GetServices<JobConsumer>()
            .Where(consumer => consumer.IsInternal && consumer.GetType().Assembly == typeof(Program).Assembly)
            .Select(consumer => consumer.Kind)
            .ToArray();

        (await project.Http.ChangeAsync("PUT", "/v1/queues/far", """{"served_by":"workers"}""")).Expect(
            HttpStatusCode.Created
        );
        Assert.True(kinds.Length >= 4);
        foreach (var kind in kinds)
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() =>
                EnqueueAsync(connection, project, $"queue => 'far', kind => '{kind}'")
            );
            Assert.Contains("the service's own", refused.MessageText, StringComparison.Ordinal);
            var sent = await project.Http.PostAsync("/v1/jobs", $$"""{"queue":"far","kind":"{{kind}}"}""");
            Assert.Equal(HttpStatusCode.UnprocessableEntity, sent.Status);
            Assert.Equal("unknown_kind", sent.Body.GetProperty("code").GetString());
        }
    }

    [Fact]
    public async Task The_role_may_do_that_and_nothing_else_and_one_without_the_grant_not_even_that()
    {
        var project = await service.NewProjectAsync();
        await using var connection = await _shop.OpenConnectionAsync(Token);
        await EnqueueAsync(connection, project, "run_at => '2999-01-01'");

        foreach (var table in (string[])["jobs", "queues", "job_keys", "projects", "api_keys"])
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() =>
                connection.ExecuteAsync($"SELECT FROM bellhop.{table}")
            );
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
        }

        await OwnerAsync($"REVOKE EXECUTE ON FUNCTION bellhop.enqueue FROM {_role}");
        var closed = await Assert.ThrowsAsync<PostgresException>(() => EnqueueAsync(connection, project, ""));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, closed.SqlState);
    }

    /// <param name="arguments">As they stand in SQL; queue and kind may be among them.</param>
    private static Task<Guid> EnqueueAsync(NpgsqlConnection connection, TestProject project, string arguments)
    {
        var all = new List<string> { "project => @Id" };
        if (!arguments.Contains("queue =>", StringComparison.Ordinal))
        {
            all.Add("queue => 'default'");
        }

        if (!arguments.Contains("kind =>", StringComparison.Ordinal))
        {
            all.Add("kind => 'noop'");
        }

        if (arguments.Length > 0)
        {
            all.Add(arguments);
        }

        return connection.QuerySingleAsync<Guid>(
            $"SELECT bellhop.enqueue({string.Join(", ", all)})".With(new { project.Id }, Token)
        );
    }

    private Task<long> CountAsync(TestProject project, string table) =>
        TestJobs.QueryAsync<long>(
            service.Database,
            $"SELECT count(*) FROM {table} WHERE project_id = @Id",
            new { project.Id }
        );

    private async Task OwnerAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(service.OwnerConnectionString);
        await connection.OpenAsync(Token);
        await connection.ExecuteAsync(sql);
    }
}
