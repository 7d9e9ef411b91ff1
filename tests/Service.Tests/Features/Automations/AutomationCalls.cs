using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

/// <summary>What tests of automations do over and over.</summary>
internal static class AutomationCalls
{
    private static readonly string[] Unfinished = ["queued", "running", "waiting"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Sends a document as JSON text; answers the status and the body.</summary>
    public static async Task<(HttpStatusCode Status, JsonElement Body)> CallAsync(
        this TestProject project,
        HttpMethod method,
        string path,
        string? json = null
    )
    {
        using var request = new HttpRequestMessage(method, path);
        request.Content = json is null ? null : new StringContent(json, null, "application/json");
        if (method == HttpMethod.Put)
        {
            using var current = await project.Http.GetAsync(new Uri(path, UriKind.Relative), Token);
            request.Headers.TryAddWithoutValidation("If-Match", current.Headers.ETag is { } tag ? [$"{tag}"] : []);
        }

        using var answer = await project.Http.SendAsync(request, Token);
        return (answer.StatusCode, await answer.Content.ReadFromJsonAsync<JsonElement>(Token));
    }

    public static async Task<JsonElement> GetAsync(this TestProject project, string path)
    {
        var (status, body) = await project.CallAsync(HttpMethod.Get, path);
        Assert.Equal(HttpStatusCode.OK, status);
        return body;
    }

    /// <summary>Saves an automation that is sound.</summary>
    public static async Task<JsonElement> SaveAsync(this TestProject project, string json)
    {
        var (status, body) = await project.CallAsync(HttpMethod.Post, "/v1/automations", json);
        Assert.True(status == HttpStatusCode.Created, body.ToString());
        return body;
    }

    /// <summary>Publishes an event and answers its id.</summary>
    public static async Task<Guid> PublishAsync(this TestProject project, string type, string data = "{}")
    {
        var (status, body) = await project.CallAsync(
            HttpMethod.Post,
            "/v1/events",
            $$"""{"type":"{{type}}","source":"test","subject":"42","data":{{data}}}"""
        );
        Assert.True(status == HttpStatusCode.Accepted, body.ToString());
        return body.GetProperty("id").GetGuid();
    }

    /// <summary>The one run of an automation, with its steps, once it has ended or is held.</summary>
    public static async Task<JsonElement> EndedRunAsync(this TestProject project, string automation)
    {
        var runs = await Eventually.FitAsync(
            () => project.GetAsync($"/v1/runs?automation={automation}"),
            list => list.GetProperty("items").EnumerateArray().Any(run => !Unfinished.Contains(run.State()))
        );
        var id = Assert.Single(runs.GetProperty("items").EnumerateArray()).GetProperty("id").GetGuid();
        return await project.GetAsync($"/v1/runs/{id}");
    }

    public static string State(this JsonElement shown) => shown.GetProperty("state").GetString()!;

    public static JsonElement Step(this JsonElement run, string id) =>
        run.GetProperty("steps").EnumerateArray().Single(step => step.GetProperty("id").GetString() == id);

    /// <summary>Keeps the runner from the carriers of a project's runs, for a test that is the runner itself.</summary>
    public static async Task PauseRunsAsync(this TestProject project)
    {
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            "UPDATE queues SET paused_at = now() WHERE project_id = @Id AND name = 'automations'",
            new { project.Id }
        );
    }

    /// <summary>Claims the one carrier there is, as a runner would, whoever holds it.</summary>
    public static async Task<ClaimedJob> ClaimCarrierAsync(this TestProject project)
    {
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        var claimed = await Eventually.FitAsync(
            () =>
                connection.QuerySingleOrDefaultAsync<ClaimedJob>(
                    """
                    UPDATE jobs j
                    SET state = 2, claim_no = j.claim_no + 1, attempt = 1, claimed_at = now(),
                        lease_until = now() + interval '1 hour'
                    FROM queues q
                    WHERE j.project_id = @Id AND q.project_id = j.project_id AND q.queue_id = j.queue_id
                        AND q.name = 'automations'
                    RETURNING
                        j.project_id, j.id, j.queue_id, q.name AS queue, j.kind, j.claim_no, j.attempt, j.max_attempts,
                        j.lost, j.args::text AS args, j.traceparent
                    """,
                    new { project.Id }
                ),
            job => job is not null
        );
        return claimed!;
    }

    public static async Task<long> CountAsync(this TestProject project, string sql)
    {
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        return await connection.QuerySingleAsync<long>(sql, new { project.Id });
    }
}
