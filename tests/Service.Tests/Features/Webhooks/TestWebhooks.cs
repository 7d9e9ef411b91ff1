using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

/// <summary>What the tests of webhooks do over the API, and the rows they move.</summary>
internal static class TestWebhooks
{
    /// <summary>Repeats at once, twice.</summary>
    public static readonly object QuickRetry = new
    {
        max_attempts = 3,
        strategy = "list",
        delays_seconds = new[] { 0 },
        jitter = 0,
    };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<JsonElement> CreateAsync(
        TestProject project,
        string url,
        object? retry = null,
        int concurrency = 10,
        string name = "shop",
        string type = "order.*"
    )
    {
        using var answer = await project.Http.PostAsJsonAsync(
            "/v1/webhook-endpoints",
            new
            {
                name,
                url,
                event_types = new[] { type },
                retry,
                concurrency,
            },
            Token
        );
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Token));
        return await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
    }

    /// <summary>Publishes events of the type <c>order.paid</c>.</summary>
    public static async Task PublishAsync(TestProject project, int count = 1, string type = "order.paid")
    {
        var events = Enumerable
            .Range(0, count)
            .Select(number => new
            {
                type,
                source = "shop",
                id = $"{Guid.NewGuid()}",
                data = new { number },
            });
        using var answer = await project.Http.PostAsJsonAsync("/v1/events/batch", new { events }, Token);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Token));
    }

    public static async Task<IReadOnlyList<JsonElement>> ListAsync(TestProject project, string query = "")
    {
        var page = await project.Http.GetFromJsonAsync<JsonElement>($"/v1/deliveries?limit=200{query}", Token);
        return [.. page.GetProperty("items").EnumerateArray()];
    }

    public static async Task<JsonElement> GetAsync(TestProject project, Guid id) =>
        await project.Http.GetFromJsonAsync<JsonElement>($"/v1/deliveries/{id}", Token);

    /// <summary>The one delivery of the project, once it is in the state, with its attempts.</summary>
    public static async Task<JsonElement> BecomeAsync(TestProject project, string state)
    {
        var found = await Eventually.FitAsync(
            () => ListAsync(project),
            deliveries => deliveries.Count == 1 && deliveries[0].State() == state
        );
        return await GetAsync(project, found[0].Id());
    }

    public static string State(this JsonElement delivery) => delivery.GetProperty("state").GetString()!;

    public static Guid Id(this JsonElement delivery) => delivery.GetProperty("id").GetGuid();

    /// <summary>The codes of a delivery's attempts; null where the receiver took it.</summary>
    public static string?[] Errors(this JsonElement delivery) =>
        [
            .. delivery
                .GetProperty("attempts")
                .EnumerateArray()
                .Select(attempt => attempt.GetProperty("error").GetString()),
        ];

    public static async Task<int> ExecuteAsync(NpgsqlDataSource database, string sql, object arguments)
    {
        await using var connection = await database.OpenConnectionAsync(Token);
        return await connection.ExecuteAsync(sql.With(arguments, Token));
    }
}
