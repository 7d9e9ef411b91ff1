using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bellhop.Features.Jobs.Tail;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Tail;

/// <summary>Plans are made once and kept: also those made while there was no job reach what ended by its index, and in its order.</summary>
public sealed partial class TailReadsTests(ServiceFixture service) : IAsyncLifetime
{
    private OwnService _own = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _own = await OwnService.StartAsync(service, set: settings => settings with { Roles = ["api"] });
        await using var owner = new NpgsqlConnection(_own.OwnerConnectionString + ";Search Path=bellhop");
        await owner.OpenAsync(Token);
        await owner.ExecuteAsync("VACUUM ANALYZE jobs");
        await owner.ExecuteAsync("VACUUM ANALYZE job_history");
        await owner.ExecuteAsync("VACUUM ANALYZE queues");
    }

    public ValueTask DisposeAsync() => _own.DisposeAsync();

    [Fact]
    public async Task What_ended_is_read_by_its_index_in_order()
    {
        var nodes = await PlanAsync("InOrder", "Ended");
        var scans = nodes
            .Where(node => Of(node, "Relation Name").StartsWith("job_history", StringComparison.Ordinal))
            .ToArray();

        Assert.NotEmpty(scans);
        Assert.All(
            scans,
            scan => Assert.Matches("uuid_hash.*finished_at.*>=.*finished_at.*<=", Of(scan, "Index Cond"))
        );
        Assert.DoesNotContain(nodes, node => Of(node, "Node Type") == "Sort");
        Assert.Contains(nodes, node => Of(node, "Node Type") == "Incremental Sort");
    }

    [Fact]
    public async Task What_runs_is_read_from_its_index()
    {
        var scan = Assert.Single(await PlanAsync("ByIndex", "Started"), node => Of(node, "Relation Name") == "jobs");
        Assert.Equal("jobs_running", Of(scan, "Index Name"));
    }

    private async Task<List<JsonElement>> PlanAsync(string settings, string statement)
    {
        var names = new List<string>();
        var text = Parameter()
            .Replace(
                Constant(statement),
                match =>
                {
                    var name = match.Groups[1].Value;
                    names.Add(name);
                    return $"${names.Distinct().ToList().IndexOf(name) + 1}";
                }
            );
        await using var connection = await _own.Database.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token); // what is set holds as long
        await connection.ExecuteAsync(Constant(settings));
        await connection.ExecuteAsync($"PREPARE planned AS {text}");
        // a time that is null would leave no partition to read
        var values = names.Distinct().Select(name => name == "UntilAt" ? "now()" : "NULL");
        var plan = await connection.ExecuteScalarAsync<string>(
            $"EXPLAIN (FORMAT JSON) EXECUTE planned({string.Join(", ", values)})"
        );
        await connection.ExecuteAsync("DEALLOCATE planned");
        var nodes = new List<JsonElement>();
        Collect(JsonElement.Parse(plan!)[0].GetProperty("Plan"), nodes);
        return nodes;
    }

    private static void Collect(JsonElement node, List<JsonElement> nodes)
    {
        nodes.Add(node);
        if (node.TryGetProperty("Plans", out var children))
        {
            foreach (var child in children.EnumerateArray())
            {
                Collect(child, nodes);
            }
        }
    }

    private static string Of(JsonElement node, string name) =>
        node.TryGetProperty(name, out var value) ? value.GetString()! : "";

    private static string Constant(string name) =>
        (string)
            typeof(TailReads)
                .GetNestedType("Sql", BindingFlags.NonPublic)!
                .GetField(name, BindingFlags.Static | BindingFlags.NonPublic)!
                .GetRawConstantValue()!;

    [GeneratedRegex(@"(?<!:)@(\w+)")]
    private static partial Regex Parameter();
}
