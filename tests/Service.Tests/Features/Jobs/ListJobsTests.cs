using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class ListJobsTests(ServiceFixture service)
{
    // each job a millisecond after the one before
    private DateTimeOffset _moment = TimeProvider.System.GetUtcNow().AddMinutes(-1);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pages_hold_every_job_once_newest_first_whether_finished_or_not()
    {
        var project = await service.NewProjectAsync();
        var later = new DateTime(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var jobs = Enumerable
            .Range(0, 7)
            .Select(n => TestJobs.Noop(project.Id) with { RunAt = n % 2 == 0 ? null : later })
            .ToArray();
        await TestJobs.EnqueueAsync(service, jobs);
        foreach (var job in jobs.Where(job => job.RunAt is null))
        {
            await TestJobs.BecomeAsync(project, job.Id, "succeeded");
        }

        var seen = new List<Guid>();
        for (var path = "/v1/jobs?limit=2"; path is not null; )
        {
            var page = await project.Http.GetFromJsonAsync<JsonElement>(path, Token);
            seen.AddRange(Ids(page));
            path = page.GetProperty("next_cursor").GetString() is { } cursor
                ? $"/v1/jobs?limit=2&cursor={Uri.EscapeDataString(cursor)}"
                : null;
        }

        Assert.Equal(jobs.Select(job => job.Id).OrderDescending(), seen);
    }

    [Fact]
    public async Task A_filter_picks_a_state()
    {
        var project = await service.NewProjectAsync();
        var later = new DateTime(2999, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var done = TestJobs.Noop(project.Id);
        var ready = TestJobs.Noop(project.Id) with { RunAt = later };
        var asleep = TestJobs.Noop(project.Id) with { RunAt = later, Kind = "sleep" };
        var failed = TestJobs.Noop(project.Id) with { Kind = "sleep", Args = """{"seconds":601}""" };
        await TestJobs.EnqueueAsync(service, done, ready, asleep, failed);
        await TestJobs.BecomeAsync(project, done.Id, "succeeded");
        await TestJobs.BecomeAsync(project, failed.Id, "failed");

        Assert.Equal([done.Id], await IdsAsync("state=succeeded"));
        Assert.Equal([failed.Id], await IdsAsync("state=failed"));
        Assert.Equal(NewestFirst(ready.Id, asleep.Id), await IdsAsync("state=ready"));
        Assert.Empty(await IdsAsync("state=canceled"));

        async Task<Guid[]> IdsAsync(string query) =>
            Ids(await project.Http.GetFromJsonAsync<JsonElement>($"/v1/jobs?{query}", Token));
    }

    [Fact]
    public async Task An_unknown_state_is_400()
    {
        var project = await service.NewProjectAsync();

        var response = await project.Http.GetAsync("/v1/jobs?state=done", Token);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task Each_filter_picks_its_jobs_whether_they_are_over_or_not()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PutAsJsonAsync("/v1/queues/mail", new { }, Token);
        var worker = Guid.CreateVersion7();
        var plain = new Like();
        var open = await StoreOpenAsync(
            project,
            plain,
            plain with
            {
                Queue = "mail",
            },
            plain with
            {
                Kind = "refund",
            },
            plain with
            {
                Tags = ["nightly", "eu"],
            },
            plain with
            {
                Lane = "customer 7",
            },
            plain with
            {
                Worker = worker,
            }
        );
        var over = await StoreOverAsync(
            project,
            plain,
            plain with
            {
                Queue = "mail",
            },
            plain with
            {
                Kind = "refund",
            },
            plain with
            {
                Tags = ["nightly", "eu"],
            },
            plain with
            {
                Lane = "customer 7",
            },
            plain with
            {
                Worker = worker,
            }
        );

        string[] filters = ["queue=mail", "kind=refund", "tag=nightly", "lane=customer%207", $"worker={worker}"];
        for (var index = 0; index < filters.Length; index++)
        {
            Guid[] fit = [over[index + 1], open[index + 1]];
            Assert.Equal(fit.OrderDescending(), await WalkAsync(project, filters[index]));
            Assert.Equal(fit.Order(), await WalkAsync(project, $"{filters[index]}&sort=created_at"));
            Assert.Equal(
                [open[index + 1]],
                await WalkAsync(project, $"{filters[index]}&state={(index == 4 ? "running" : "ready")}")
            );
            Assert.Equal([over[index + 1]], await WalkAsync(project, $"{filters[index]}&state=succeeded"));
            Assert.Empty(await WalkAsync(project, $"{filters[index]}&state=failed"));
            Assert.Empty(await WalkAsync(project, $"{filters[index]}&state=waiting"));
        }

        foreach (
            var none in (string[])
                ["queue=nowhere", "kind=none", "tag=night", "lane=customer", $"worker={Guid.NewGuid()}"]
        )
        {
            Assert.Empty(await WalkAsync(project, none));
        }
    }

    [Fact]
    public async Task Filters_are_combined()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PutAsJsonAsync("/v1/queues/mail", new { }, Token);
        var all = new Like
        {
            Queue = "mail",
            Kind = "refund",
            Tags = ["nightly"],
            Lane = "a",
            Worker = Guid.CreateVersion7(),
            Outcome = 1,
        };
        var over = await StoreOverAsync(
            project,
            all,
            all with
            {
                Queue = "default",
            },
            all with
            {
                Kind = "noop",
            },
            all with
            {
                Tags = null,
            },
            all with
            {
                Lane = "b",
            },
            all with
            {
                Worker = null,
            },
            all with
            {
                Outcome = 2,
            }
        );

        Assert.Equal(
            [over[0]],
            await WalkAsync(project, $"queue=mail&kind=refund&tag=nightly&lane=a&worker={all.Worker}&state=failed")
        );
        Assert.Equal(over.Except([over[2]]).OrderDescending(), await WalkAsync(project, "kind=refund"));
        Assert.Equal(
            over.Except([over[1], over[6]]).OrderDescending(),
            await WalkAsync(project, "queue=mail&state=failed")
        );
        Assert.Equal([over[4]], await WalkAsync(project, "lane=b&tag=nightly&queue=mail"));
        Assert.Equal([over[6]], await WalkAsync(project, "kind=refund&state=canceled"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("&sort=created_at")]
    [InlineData("&state=succeeded")]
    public async Task A_rare_kind_among_many_thousands_is_found_by_going_on_to_the_end(string more)
    {
        var project = await service.NewProjectAsync();
        var rare = new List<Guid>();
        foreach (var count in (int[])[4_000, 17_000, 4_000])
        {
            await StoreManyAsync(project, count, new Like());
            rare.AddRange(await StoreOverAsync(project, new Like { Kind = "rare" }));
        }

        var (found, pages) = await PagesAsync(project, $"kind=rare&limit=50{more}");

        Assert.Equal(more == "&sort=created_at" ? rare : rare.AsEnumerable().Reverse(), found);
        Assert.InRange(pages.Count, 3, 4); // ten thousand rows each
        Assert.Contains(0, pages);
        Assert.Equal(rare.Count, (await WalkAsync(project, $"kind=rare&limit=1{more}")).Length);
    }

    [Fact]
    public async Task What_has_an_index_is_found_on_the_first_page_however_many_others_there_are()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PutAsJsonAsync("/v1/queues/mail", new { }, Token);
        var rare = await StoreOverAsync(
            project,
            new Like
            {
                Queue = "mail",
                Kind = "rare",
                Tags = ["rare"],
                Lane = "rare",
                Outcome = 1,
            }
        );
        await StoreManyAsync(
            project,
            10_500,
            new Like
            {
                Tags = ["common"],
                Lane = "common",
                Outcome = 1,
            }
        );

        foreach (var filter in (string[])["tag=rare", "lane=rare", "kind=rare&state=failed", "queue=mail&state=failed"])
        {
            var (found, pages) = await PagesAsync(project, filter);
            Assert.Equal((filter, rare[0], 1), (filter, Assert.Single(found), pages.Count));
        }
    }

    [Fact]
    public async Task A_tag_that_many_have_is_walked_in_order_and_to_the_end()
    {
        var project = await service.NewProjectAsync();
        var first = await StoreOverAsync(project, new Like { Kind = "rare", Tags = ["common"] });
        await StoreManyAsync(project, 12_000, new Like { Tags = ["common"] });
        var last = await StoreOverAsync(project, new Like { Kind = "rare", Tags = ["common"] });

        Assert.Equal([last[0], first[0]], await WalkAsync(project, "tag=common&kind=rare"));
        Assert.Equal([first[0], last[0]], await WalkAsync(project, "tag=common&kind=rare&sort=created_at"));
        Assert.Equal(12_002, (await WalkAsync(project, "tag=common&limit=200")).Distinct().Count());
    }

    [Fact]
    public async Task Another_projects_jobs_and_those_of_queues_out_of_reach_are_not_found()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        await project.Http.PutAsJsonAsync("/v1/queues/mail", new { }, Token);
        var like = new Like
        {
            Kind = "refund",
            Tags = ["nightly"],
            Lane = "a",
            Worker = Guid.CreateVersion7(),
            Outcome = 1,
        };
        var over = await StoreOverAsync(project, like, like with { Queue = "mail" });
        await StoreOverAsync(other, like);
        string[] filters =
        [
            "",
            "kind=refund",
            "tag=nightly",
            "lane=a",
            $"worker={like.Worker}",
            "state=failed",
            "kind=refund&state=failed",
        ];

        foreach (var filter in filters)
        {
            Assert.Equal((filter, over.Length), (filter, (await WalkAsync(project, filter)).Length));
        }

        await TestJobs.NarrowAsync(project, "mail");
        foreach (var filter in filters)
        {
            Assert.Equal((filter, over[1]), (filter, Assert.Single(await WalkAsync(project, filter))));
        }

        Assert.Empty(await WalkAsync(project, "queue=default"));
        Assert.Equal([over[1]], await WalkAsync(project, "queue=mail"));
    }

    [Fact]
    public async Task Jobs_of_a_queue_that_was_deleted_are_found_by_its_name()
    {
        var project = await service.NewProjectAsync();
        await project.Http.PutAsJsonAsync("/v1/queues/mail", new { }, Token);
        var before = await StoreOverAsync(project, new Like { Queue = "mail", Outcome = 1 });
        (await project.Http.ChangeAsync("DELETE", "/v1/queues/mail", null, "*")).Expect(HttpStatusCode.NoContent);
        await project.Http.PutAsJsonAsync("/v1/queues/mail", new { }, Token);
        var after = await StoreOverAsync(project, new Like { Queue = "mail", Outcome = 1 });

        Assert.Equal([after[0], before[0]], await WalkAsync(project, "queue=mail"));
        Assert.Equal([after[0], before[0]], await WalkAsync(project, "queue=mail&state=failed"));
    }

    [Fact]
    public async Task A_worker_is_named_by_its_id()
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.CallAsync("GET", "/v1/jobs?worker=bob");

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Equal("worker", answer.Body.GetProperty("errors")[0].GetProperty("parameter").GetString());
    }

    [Fact]
    public async Task The_verb_goes_on_until_it_has_as_many_as_it_was_asked_for()
    {
        var project = await service.NewProjectAsync();
        var rare = await StoreOverAsync(project, new Like { Kind = "rare", Outcome = 1 });
        await StoreManyAsync(project, 10_500, new Like());

        var listed = await CliProcess.RunAsync(
            CliProcess.On(service),
            "jobs",
            "list",
            "--project",
            project.Name,
            "--kind",
            "rare"
        );

        Assert.Equal((0, $"{rare[0]}\tdefault\trare\tfailed"), (listed.ExitCode, listed.Output));
    }

    private Guid NewId() => Guid.CreateVersion7(_moment = _moment.AddMilliseconds(1));

    /// <summary>What a stored job is like.</summary>
    private sealed record Like
    {
        public string Queue { get; init; } = "default";
        public string Kind { get; init; } = "noop";
        public string[]? Tags { get; init; }
        public string? Lane { get; init; }
        public Guid? Worker { get; init; }
        public short Outcome { get; init; }
    }

    /// <summary>Stores jobs that are not due, and where they name a worker run.</summary>
    private async Task<Guid[]> StoreOpenAsync(TestProject project, params Like[] likes)
    {
        var ids = new List<Guid>();
        foreach (var like in likes)
        {
            ids.Add(NewId());
            await TestJobs.ExecuteAsync(
                project.Database,
                """
                INSERT INTO jobs (project_id, id, queue_id, run_at, state, lease_until, max_attempts, kind, lane, tags, worker_id, args)
                SELECT @ProjectId, @Id, queue_id, '2999-01-01', CASE WHEN @Worker::uuid IS NULL THEN 1 ELSE 2 END,
                    CASE WHEN @Worker IS NOT NULL THEN '2999-01-01'::timestamptz END, 20, @Kind, @Lane, @Tags::text[], @Worker, '{}'
                FROM queues
                WHERE project_id = @ProjectId AND name = @Queue AND deleted_at IS NULL
                """,
                new
                {
                    ProjectId = project.Id,
                    Id = ids[^1],
                    like.Queue,
                    like.Kind,
                    like.Tags,
                    like.Lane,
                    like.Worker,
                }
            );
        }

        return [.. ids];
    }

    private async Task<Guid[]> StoreOverAsync(TestProject project, params Like[] likes)
    {
        var ids = new List<Guid>();
        foreach (var like in likes)
        {
            ids.AddRange(await StoreManyAsync(project, 1, like));
        }

        return [.. ids];
    }

    private async Task<Guid[]> StoreManyAsync(TestProject project, int count, Like like)
    {
        var ids = Enumerable.Range(0, count).Select(_ => NewId()).ToArray();
        await TestJobs.ExecuteAsync(
            project.Database,
            """
            INSERT INTO job_history (
                project_id, id, queue_id, kind, outcome, priority, claim_no, attempt, max_attempts, lost, run_at, lane, tags, worker_id
            )
            SELECT @ProjectId, n.id, q.queue_id, @Kind, @Outcome, 3, 1, 1, 20, 0, now(), @Lane, @Tags::text[], @Worker::uuid
            FROM unnest(@Ids) AS n(id)
            JOIN queues q ON q.project_id = @ProjectId AND q.name = @Queue AND q.deleted_at IS NULL
            """,
            new
            {
                ProjectId = project.Id,
                Ids = ids,
                like.Queue,
                like.Kind,
                like.Tags,
                like.Lane,
                like.Worker,
                like.Outcome,
            }
        );
        return ids;
    }

    private static async Task<Guid[]> WalkAsync(TestProject project, string query) =>
        (await PagesAsync(project, query)).Found;

    /// <summary>Every job of the list, and how many each page held.</summary>
    private static async Task<(Guid[] Found, List<int> Pages)> PagesAsync(TestProject project, string query)
    {
        var found = new List<Guid>();
        var pages = new List<int>();
        for (string? cursor = ""; cursor is not null; )
        {
            var answer = (await project.Http.CallAsync("GET", $"/v1/jobs?{query}{cursor}")).Expect(HttpStatusCode.OK);
            var ids = Ids(answer.Body);
            found.AddRange(ids);
            pages.Add(ids.Length);
            cursor = answer.Body.GetProperty("next_cursor").GetString() is { } next
                ? $"&cursor={Uri.EscapeDataString(next)}"
                : null;
        }

        return ([.. found], pages);
    }

    private static Guid[] NewestFirst(params Guid[] ids) => [.. ids.OrderDescending()];

    private static Guid[] Ids(JsonElement page) =>
        [.. page.GetProperty("items").EnumerateArray().Select(job => job.GetProperty("id").GetGuid())];
}
