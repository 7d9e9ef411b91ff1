using System.Net;
using System.Text.Json;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http;

public sealed class PagingTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Every list by time that can be asked for without a name in its path.</summary>
    public static TheoryData<string> Lists =>
        [
            "/v1/api-keys",
            "/v1/audit",
            "/v1/automations",
            "/v1/connections",
            "/v1/deliveries",
            "/v1/events",
            "/v1/jobs",
            "/v1/members",
            "/v1/projects",
            "/v1/queues",
            "/v1/runs",
            "/v1/sources",
            "/v1/token-issuers",
            "/v1/users/invitations",
            "/v1/webhook-endpoints",
            "/v1/workers",
        ];

    [Fact]
    public void Every_list_is_known_here()
    {
        var lists = service
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.Metadata.GetMetadata<ListFilters>()?.TimeField is not null)
            .Select(endpoint => endpoint.RoutePattern.RawText!)
            .Where(path => !path.Contains('{', StringComparison.Ordinal));

        Assert.Equal(Lists.Select(row => row.Data).Order(StringComparer.Ordinal), lists.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Ten_thousand_rows_are_walked_while_others_come_and_go_and_none_that_stays_is_missed_or_doubled()
    {
        var project = await service.NewProjectAsync();
        var stays = await StoreAsync(project, 10_000, "stays");
        await StoreAsync(project, 2_000, "goes");
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var changing = ChangeAsync(project, over.Token);

        foreach (var sort in new[] { "-received_at", "received_at" })
        {
            var seen = new List<Guid>();
            var link = $"/v1/events?limit=200&sort={sort}&received_at[gte]=2020-01-01T00:00:00Z";
            while (link is not null)
            {
                var page = await project.Http.CallAsync("GET", link);
                page.Expect(HttpStatusCode.OK);
                seen.AddRange(
                    page.Body.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("id").GetGuid())
                );
                var cursor = page.Body.GetProperty("next_cursor").GetString();
                link = cursor is null
                    ? null
                    : $"/v1/events?limit=200&sort={sort}&received_at[gte]=2020-01-01T00:00:00Z&cursor={cursor}";
            }

            Assert.Equal(seen.Count, seen.Distinct().Count());
            Assert.Empty(stays.Except(seen));
            var texts = seen.Select(id => $"{id}").ToArray();
            Assert.Equal(
                sort[0] == '-' ? texts.OrderDescending(StringComparer.Ordinal) : texts.Order(StringComparer.Ordinal),
                texts
            );
        }

        await over.CancelAsync();
        Assert.True(await changing > 0, "nothing came or went meanwhile");
    }

    [Theory]
    [MemberData(nameof(Lists))]
    public async Task A_list_says_what_it_does_not_know(string path)
    {
        var project = await service.NewProjectAsync();
        var http = path == "/v1/projects" ? (await TestUser.CreateAsync(service, project.Id)).Http : project.Http;
        var field =
            path == "/v1/events" ? "received_at"
            : path == "/v1/audit" ? "at"
            : path == "/v1/workers" ? "first_seen_at"
            : "created_at";

        foreach (
            var (query, parameter) in new[]
            {
                ("colour=red", "colour"),
                ("limit=0", "limit"),
                ("limit=201", "limit"),
                ("limit=1&limit=2", "limit"),
                ("sort=name", "sort"),
                ($"{field}[gte]=yesterday", $"{field}[gte]"),
                ($"{field}[lt]=2026-01-01T00:00:00", $"{field}[lt]"),
                ("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "cursor"),
            }
        )
        {
            var answer = await http.CallAsync("GET", $"{path}?{query}");
            Assert.Equal((HttpStatusCode.BadRequest, query), (answer.Status, query));
            Assert.Equal(parameter, answer.Body.GetProperty("errors")[0].GetProperty("parameter").GetString());
        }

        foreach (
            var query in new[]
            {
                "limit=200",
                $"sort={field}",
                $"sort=-{field}",
                $"{field}[gte]=2026-01-01T00:00:00%2B01:00",
            }
        )
        {
            (await http.CallAsync("GET", $"{path}?{query}")).Expect(HttpStatusCode.OK);
        }
    }

    [Fact]
    public async Task A_cursor_is_good_for_its_project_its_list_and_its_question_alone()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        await StoreAsync(project, 3, "stays");
        await StoreAsync(other, 3, "stays");
        var first = await project.Http.CallAsync("GET", "/v1/events?limit=1&type=stays");
        var cursor = first.Body.GetProperty("next_cursor").GetString()!;
        var flipped = (cursor[0] == 'A' ? 'B' : 'A') + cursor[1..];

        Assert.Equal(
            HttpStatusCode.OK,
            (await project.Http.CallAsync("GET", $"/v1/events?type=stays&cursor={cursor}")).Status
        );
        foreach (
            var (http, path) in new[]
            {
                (project.Http, $"/v1/events?type=stays&cursor={flipped}"),
                (project.Http, $"/v1/events?type=stays&cursor={cursor[..^1]}"),
                (project.Http, $"/v1/events?type=goes&cursor={cursor}"),
                (project.Http, $"/v1/events?cursor={cursor}"),
                (project.Http, $"/v1/events?type=stays&sort=received_at&cursor={cursor}"),
                (project.Http, $"/v1/events?type=stays&received_at[lt]=2090-01-01T00:00:00Z&cursor={cursor}"),
                (project.Http, $"/v1/jobs?cursor={cursor}"),
                (other.Http, $"/v1/events?type=stays&cursor={cursor}"),
            }
        )
        {
            var answer = await http.CallAsync("GET", path);
            Assert.Equal((path, 400, "cursor_mismatch"), (path, (int)answer.Status, answer.Code));
        }
    }

    [Fact]
    public async Task A_bound_takes_what_is_shown_at_that_moment_and_not_what_is_shown_before()
    {
        var project = await service.NewProjectAsync();
        await StoreAsync(project, 10, "stays");
        var all = (await project.Http.CallAsync("GET", "/v1/events?sort=received_at")).Body.GetProperty("items");
        var third = all[2].GetProperty("received_at").GetString();
        var sixth = all[5].GetProperty("received_at").GetString();

        var some = (
            await project.Http.CallAsync(
                "GET",
                $"/v1/events?sort=received_at&received_at[gte]={third}&received_at[lt]={sixth}"
            )
        ).Body.GetProperty("items");

        Assert.Equal(Ids(all)[2..5], Ids(some));
    }

    [Fact]
    public async Task The_next_page_is_linked()
    {
        var project = await service.NewProjectAsync();
        await StoreAsync(project, 3, "stays");

        using var answer = await project.Http.GetAsync("/v1/events?limit=2&type=stays", Token);
        var link = Assert.Single(answer.Headers.GetValues("Link"));
        Assert.EndsWith(">; rel=\"next\"", link, StringComparison.Ordinal);
        using var next = await project.Http.GetAsync(link[1..link.IndexOf('>')], Token);

        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
        Assert.False(next.Headers.Contains("Link"));
    }

    private static string[] Ids(JsonElement items) =>
        [.. items.EnumerateArray().Select(item => item.GetProperty("id").GetString()!)];

    /// <summary>Stores events, a millisecond apart, from now on.</summary>
    private static async Task<IReadOnlyList<Guid>> StoreAsync(TestProject project, int count, string type)
    {
        var now = TimeProvider.System.GetUtcNow();
        var moments = Enumerable.Range(0, count).Select(number => now.AddMilliseconds(number - count)).ToArray();
        var ids = moments.Select(Guid.CreateVersion7).ToArray();
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            """
            INSERT INTO events (project_id, id, received_at, source, event_id, type, data)
            SELECT @Id, e.id, e.moment, 'test', e.id::text, @Type, '{}'
            FROM unnest(@Ids, @Moments) AS e(id, moment)
            """,
            new
            {
                project.Id,
                Ids = ids,
                Moments = moments.Select(moment => moment.UtcDateTime).ToArray(),
                Type = type,
            }
        );
        return ids;
    }

    /// <summary>Deletes what goes and adds what comes, until it is told to stop; answers how often.</summary>
    private static async Task<int> ChangeAsync(TestProject project, CancellationToken over)
    {
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        var changes = 0;
        while (!over.IsCancellationRequested)
        {
            await StoreAsync(project, 20, "comes");
            await connection.ExecuteAsync(
                """
                DELETE FROM events
                WHERE project_id = @Id
                    AND id IN (SELECT id FROM events WHERE project_id = @Id AND type = 'goes' ORDER BY random() LIMIT 20)
                """,
                new { project.Id }
            );
            changes++;
        }

        return changes;
    }
}
