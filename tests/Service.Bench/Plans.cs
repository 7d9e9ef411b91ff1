using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Bellhop.Bench;

/// <summary>Asks every list of the service for every filter and order it has, on tables of a million rows, and reads the plans.</summary>
/// <remarks>
/// The lists are those of the service's own document, so a new one is asked too; it fails here until its table is filled. The
/// plans are PostgreSQL's record of what was run (auto_explain), not an EXPLAIN of something alike.
/// </remarks>
public sealed class Plans : IDisposable
{
    private const int Limit = 50;

    // a page, its joins, and what the partitions at the edges hold
    private const long MaxRowsRead = 20 * Limit;

    // of a list that looks through what it has no index for
    private const long MaxRowsLookedAt = 10_000 + MaxRowsRead;

    // below that a scan is what a planner should choose
    private const long SmallTable = 1_000;

    private readonly HttpClient _http;
    private readonly HttpClient _user;
    private readonly string _log;
    private readonly List<string> _faults = [];
    private int _asked;
    private long _most;
    private long _mostBuffers;
    private double _slowest;

    private Plans(BenchHost host)
    {
        _log = Path.Combine(host.Directory, "db", "postgres.log");
        _http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{host.Port}") };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Key);
        _user = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = _http.BaseAddress };
        _user.DefaultRequestHeaders.Add("Cookie", $"__Host-bellhop={PlanRows.Session}");
    }

    public static async Task<int> RunAsync()
    {
        await using var host = await BenchHost.StartAsync("api"); // beats and runners would work on the million
        Console.WriteLine(host.Machine());
        await PlanRows.FillAsync(host);
        await ExplainAsync(host);
        using var plans = new Plans(host);
        Console.WriteLine("\n## Lists on a million rows (`./dev bench plans`)\n");
        Console.WriteLine(
            "| list | asked | most rows read | most buffers | slowest, ms |\n| --- | --- | --- | --- | --- |"
        );
        foreach (var list in await plans.ListsAsync())
        {
            await plans.AskAsync(list);
        }

        await plans.WatchAsync();
        Console.WriteLine($"\n{plans._faults.Count} faults.");
        plans._faults.ForEach(Console.WriteLine);
        return plans._faults.Count == 0 ? 0 : 1;
    }

    public void Dispose()
    {
        _http.Dispose();
        _user.Dispose();
    }

    /// <summary>Has the server write down the plan of every statement, with what each node read.</summary>
    private static async Task ExplainAsync(BenchHost host)
    {
        foreach (
            var setting in new[]
            {
                "session_preload_libraries = 'auto_explain'",
                "auto_explain.log_min_duration = 0",
                "auto_explain.log_analyze = on",
                "auto_explain.log_buffers = on",
                "auto_explain.log_format = 'json'",
            }
        )
        {
            await host.ExecuteAsync($"LOAD 'auto_explain'; ALTER ROLE CURRENT_USER SET {setting}");
        }

        await host.ExecuteAsync(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bellhop%'"
        );
        await host.ReadyAsync();
    }

    /// <summary>Every list, with the ids in its path filled in.</summary>
    private async Task<IReadOnlyList<PlanList>> ListsAsync()
    {
        using var document = JsonDocument.Parse(await _http.GetStringAsync("/openapi.json"));
        var lists = new List<PlanList>();
        foreach (var path in document.RootElement.GetProperty("paths").EnumerateObject())
        {
            if (
                path.Value.TryGetProperty("get", out var get)
                && get.TryGetProperty("parameters", out var parameters)
                && parameters.EnumerateArray().Any(parameter => parameter.GetProperty("name").GetString() == "cursor")
            )
            {
                lists.Add(PlanList.Of(path.Name, parameters));
            }
        }

        return lists;
    }

    private async Task AskAsync(PlanList list)
    {
        (_asked, _most, _mostBuffers, _slowest) = (0, 0, 0, 0);
        var path = list.Path;
        if (path.Contains('{', StringComparison.Ordinal))
        {
            var parent = await GetAsync(path[..path.IndexOf("/{", StringComparison.Ordinal)] + "?limit=1");
            var id = parent.GetProperty("items")[0].GetProperty("id").GetString();
            path = path.Replace("{id}", id, StringComparison.Ordinal);
        }

        var first = (await GetAsync($"{path}?limit=1")).GetProperty("items");
        if (first.GetArrayLength() == 0)
        {
            _faults.Add($"{list.Path}: no rows; fill its table in PlanRows");
            return;
        }

        foreach (var query in list.Queries(first[0]))
        {
            var page = await PlanAsync($"{path}?limit={Limit}{query}");
            if (page.GetProperty("next_cursor").GetString() is { } cursor)
            {
                await PlanAsync($"{path}?limit={Limit}{query}&cursor={cursor}");
            }
        }

        Print(list.Path);
    }

    /// <summary>What ended in an hour is told from the stream of jobs as far as it is told, and then looked for as it comes.</summary>
    private async Task WatchAsync()
    {
        const string Stream = "/v1/jobs/events";
        (_asked, _most, _mostBuffers, _slowest) = (0, 0, 0, 0);
        var microseconds = (DateTime.UtcNow.AddHours(-1) - DateTime.UnixEpoch).Ticks / 10;
        var from = new FileInfo(_log).Length;
        using var request = new HttpRequestMessage(HttpMethod.Get, Stream);
        request.Headers.Add("Last-Event-ID", $"{microseconds}-{Guid.Empty:N}");
        using (var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        {
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
            while (await reader.ReadLineAsync() is { } line && line != "event: gap")
            {
                _asked += line == "event: ended" ? 1 : 0;
            }

            await Task.Delay(TimeSpan.FromSeconds(2)); // of rounds that find nothing
        }

        foreach (var plan in await ReadAsync(from))
        {
            Judge(Stream, plan, MaxRowsRead + 2 * 500); // of a block, each row and the name of its queue
        }

        Print(Stream);
    }

    private async Task<JsonElement> PlanAsync(string query)
    {
        await GetAsync(query); // the statement is prepared and what it reads is in memory
        var from = new FileInfo(_log).Length;
        var answer = await GetAsync(query);
        var plans = await ReadAsync(from);
        _asked++;
        if (plans.Count == 0)
        {
            _faults.Add($"{query}: the server wrote no plan of it");
        }

        foreach (var plan in plans)
        {
            Judge(query, plan, query.StartsWith("/v1/jobs?", StringComparison.Ordinal) ? MaxRowsLookedAt : MaxRowsRead);
        }

        return answer;
    }

    private void Judge(string query, JsonElement plan, long maxRows)
    {
        var (rows, buffers, scan) = Weigh(plan.GetProperty("Plan"));
        _most = Math.Max(_most, rows);
        _mostBuffers = Math.Max(_mostBuffers, buffers);
        _slowest = Math.Max(_slowest, plan.GetProperty("Plan").GetProperty("Actual Total Time").GetDouble());
        if (rows > maxRows)
        {
            _faults.Add($"{query}: {rows} rows read");
        }

        if (scan is not null)
        {
            _faults.Add($"{query}: sequential scan of {scan}");
        }
    }

    private void Print(string path) =>
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {path} | {_asked} | {_most} | {_mostBuffers} | {_slowest:F1} |"
            )
        );

    /// <summary>The rows that were read, kept or not; the pages; and a table that was read from end to end.</summary>
    private static (long Rows, long Buffers, string? Scan) Weigh(JsonElement node)
    {
        var loops = Number(node, "Actual Loops");
        var type = node.GetProperty("Node Type").GetString()!;
        var isScan = type.Contains("Scan", StringComparison.Ordinal) && type != "Subquery Scan"; // what that reads is read below it
        var rows = isScan
            ? (
                Number(node, "Actual Rows")
                + Number(node, "Rows Removed by Filter")
                + Number(node, "Rows Removed by Index Recheck")
            ) * loops
            : 0;
        var scan =
            node.GetProperty("Node Type").GetString() == "Seq Scan" && rows > SmallTable
                ? node.GetProperty("Relation Name").GetString()
                : null;
        if (node.TryGetProperty("Plans", out var inner))
        {
            foreach (var child in inner.EnumerateArray())
            {
                var (more, _, other) = Weigh(child);
                (rows, scan) = (rows + more, scan ?? other);
            }
        }

        return (rows, Number(node, "Shared Hit Blocks") + Number(node, "Shared Read Blocks"), scan);
    }

    private static long Number(JsonElement node, string name) =>
        node.TryGetProperty(name, out var number) ? (long)number.GetDouble() : 0;

    /// <summary>The plans the server wrote since, but for those of looking up the caller's key or session.</summary>
    private async Task<IReadOnlyList<JsonElement>> ReadAsync(long from)
    {
        for (var tries = 0; ; tries++)
        {
            await using var file = new FileStream(_log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            file.Position = from;
            using var reader = new StreamReader(file);
            var plans = Parse(await reader.ReadToEndAsync());
            if (plans.Count > 0 || tries == 40)
            {
                return plans;
            }

            await Task.Delay(5);
        }
    }

    private static List<JsonElement> Parse(string log)
    {
        const string Start = "  plan:\n";
        var plans = new List<JsonElement>();
        for (
            var at = log.IndexOf(Start, StringComparison.Ordinal);
            at >= 0;
            at = log.IndexOf(Start, at + 1, StringComparison.Ordinal)
        )
        {
            // continuation lines begin with a tab
            var lines = log[(at + Start.Length)..].Split('\n').TakeWhile(line => line.StartsWith('\t'));
            var plan = JsonElement.Parse(string.Join('\n', lines));
            var query = plan.GetProperty("Query Text").GetString()!;
            if (
                !query.Contains("key_id = ", StringComparison.Ordinal)
                && !query.Contains("secret_sha256 = ", StringComparison.Ordinal)
                && !query.StartsWith("UPDATE api_keys", StringComparison.Ordinal)
            )
            {
                plans.Add(plan);
            }
        }

        return plans;
    }

    private async Task<JsonElement> GetAsync(string query)
    {
        // what is about a user is no list of a project
        string[] own = ["/v1/projects", "/v1/auth/"];
        var caller = own.Any(prefix => query.StartsWith(prefix, StringComparison.Ordinal)) ? _user : _http;
        using var answer = await caller.GetAsync(new Uri(query, UriKind.Relative));
        var body = JsonElement.Parse(await answer.Content.ReadAsStringAsync());
        return answer.IsSuccessStatusCode ? body : throw new InvalidOperationException($"{query}: {body}");
    }
}

/// <summary>A list of the service's document, and what it may be asked.</summary>
/// <param name="Filters">Each with its closed set of values, or none.</param>
internal sealed record PlanList(
    string Path,
    IReadOnlyList<(string Name, IReadOnlyList<string> Values)> Filters,
    IReadOnlyList<string> Sorts,
    string? Range
)
{
    /// <summary>Values of filters that an item does not show, or that few items have.</summary>
    private static readonly Dictionary<string, string> Rare = new(StringComparer.Ordinal)
    {
        ["tag"] = "rare",
        ["lane"] = "customer-7",
        ["worker"] = "00000000-0000-7000-8000-000000000001",
        ["after"] = "999700",
    };

    public static PlanList Of(string path, JsonElement parameters)
    {
        var query = parameters
            .EnumerateArray()
            .Where(parameter => parameter.GetProperty("in").GetString() == "query")
            .Select(parameter => (Name: parameter.GetProperty("name").GetString()!, Values: Values(parameter)))
            .Where(parameter => parameter.Name is not ("limit" or "cursor"))
            .ToArray();
        return new PlanList(
            path,
            [.. query.Where(parameter => parameter.Name != "sort" && !parameter.Name.EndsWith(']'))],
            query.FirstOrDefault(parameter => parameter.Name == "sort").Values ?? [],
            query.FirstOrDefault(parameter => parameter.Name.EndsWith("[gte]", StringComparison.Ordinal)).Name
        );
    }

    /// <summary>Every combination: each filter with each of its values or without, each order, with and without a bound.</summary>
    /// <param name="item">An item to take values from where the set is open.</param>
    public IEnumerable<string> Queries(JsonElement item)
    {
        IEnumerable<string> queries = [""];
        foreach (var (name, values) in Filters)
        {
            var wanted =
                values.Count > 0
                    ? values
                    :
                    [
                        Rare.GetValueOrDefault(name)
                            ?? Find(item, name)
                            ?? throw new InvalidOperationException($"{Path}: no {name} in an item"),
                    ];
            queries = queries
                .SelectMany(query =>
                    wanted.Select(value => $"{query}&{name}={Uri.EscapeDataString(value)}").Prepend(query)
                )
                .ToArray();
        }

        if (Sorts.Count > 0)
        {
            queries = queries.SelectMany(query => Sorts.Select(sort => $"{query}&sort={sort}")).ToArray();
        }

        // half of what was filled lies before
        var middle = DateTimeOffset
            .UtcNow.AddHours(-PlanRows.Hours / 2.0)
            .ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        return Range is null
            ? queries
            : queries.SelectMany(query =>
                new[]
                {
                    query,
                    $"{query}&{Range}={middle}",
                    $"{query}&{Range.Replace("gte", "lt", StringComparison.Ordinal)}={middle}",
                }
            );
    }

    private static string[] Values(JsonElement parameter) =>
        parameter.GetProperty("schema").TryGetProperty("enum", out var values)
            ? [.. values.EnumerateArray().Select(value => value.GetString()!)]
            : [];

    private static string? Find(JsonElement item, string name)
    {
        foreach (var member in item.EnumerateObject())
        {
            var found =
                member.Value.ValueKind == JsonValueKind.Object ? Find(member.Value, name)
                : member.Name == name ? member.Value.GetString()
                : null;
            if (found is not null)
            {
                return found;
            }
        }

        return null;
    }
}
