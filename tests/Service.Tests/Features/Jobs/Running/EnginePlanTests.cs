using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs.Running;

/// <summary>
/// Plans of the engine's statements are made once and kept: also those that were made while the table of jobs was empty must reach each
/// row by a key or a place, whatever the table holds a minute later.
/// </summary>
public sealed partial class EnginePlanTests(ServiceFixture service) : IAsyncLifetime
{
    private OwnService _own = null!;

    public async ValueTask InitializeAsync()
    {
        _own = await OwnService.StartAsync(service, set: settings => settings with { Roles = ["api"] });
        await using var owner = new NpgsqlConnection(_own.OwnerConnectionString + ";Search Path=bellhop");
        await owner.OpenAsync(TestContext.Current.CancellationToken);
        await owner.ExecuteAsync("VACUUM ANALYZE jobs"); // known to be empty
        await owner.ExecuteAsync("VACUUM ANALYZE job_keys");
    }

    public ValueTask DisposeAsync() => _own.DisposeAsync();

    [Theory]
    [InlineData("ClaimStatements", "Whole")]
    [InlineData("ClaimStatements", "Onward")]
    [InlineData("ClaimStatements", "Limited")]
    [InlineData("ClaimStatements", "OfWorker")]
    [InlineData("JobStarter", "Begin")]
    [InlineData("JobEndings", "Finish")]
    [InlineData("JobEndings", "GiveBack")]
    [InlineData("Heartbeat", "Extend")]
    [InlineData("HeartbeatJobs", "Extend")]
    [InlineData("ToldLeases", "Find")]
    [InlineData("LookedQueue", "Look")]
    [InlineData("ExpiredLeases", "Rescue")]
    [InlineData("EndOrphanedJobs", "Look")]
    [InlineData("WorkerDesk", "FindRepeated")]
    [InlineData("Lanes", "Find")]
    [InlineData("Lanes", "Admit")]
    public async Task Plans_made_for_an_empty_table_reach_each_row_by_a_key_or_a_place(string type, string statement)
    {
        var scans = await ScansAsync(StatementOf(type, statement));
        Assert.NotEmpty(scans);
        Assert.All(scans, scan => Assert.True(IsNarrow(scan), scan.ToString()));
    }

    private static bool IsNarrow(JsonElement scan)
    {
        var index = scan.TryGetProperty("Index Name", out var name) ? name.GetString() : null;
        var condition = scan.TryGetProperty("Index Cond", out var found) ? found.GetString()! : "";
        return scan.GetProperty("Node Type").GetString() switch
        {
            "Tid Scan" => true,
            // all that runs, or the queues that have work: as few as there are
            "Index Scan" or "Index Only Scan" when index is "jobs_running" => true,
            "Index Scan" or "Index Only Scan" when index is "jobs_pkey" => Id().IsMatch(condition),
            "Index Scan" or "Index Only Scan" => condition.Length > 0
                || scan.GetProperty("Parent").GetString() == "Limit",
            _ => false,
        };
    }

    private async Task<List<JsonElement>> ScansAsync(string sql)
    {
        var names = new List<string>();
        var text = Parameter()
            .Replace(
                sql,
                match =>
                {
                    var name = match.Groups[1].Value;
                    names.Add(name);
                    return $"${names.Distinct().ToList().IndexOf(name) + 1}";
                }
            );
        var engine = _own.Services.GetRequiredService<Databases>().Engine;
        await using var connection = await engine.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync($"PREPARE planned AS {text}");
        var nothing = names.Count == 0 ? "" : $"({string.Join(", ", names.Distinct().Select(_ => "NULL"))})";
        var plan = await connection.ExecuteScalarAsync<string>($"EXPLAIN (FORMAT JSON) EXECUTE planned{nothing}");
        await connection.ExecuteAsync("DEALLOCATE planned");
        using var document = JsonDocument.Parse(plan!);
        var scans = new List<JsonElement>();
        Collect(document.RootElement[0].GetProperty("Plan"), "", scans);
        return scans;
    }

    private static void Collect(JsonElement node, string parent, List<JsonElement> scans)
    {
        var type = node.GetProperty("Node Type").GetString()!;
        if (
            type.EndsWith("Scan", StringComparison.Ordinal)
            && node.TryGetProperty("Relation Name", out var table)
            && table.GetString() == "jobs"
        )
        {
            var members = node.EnumerateObject()
                .Where(member => member.Name is "Node Type" or "Index Name" or "Index Cond")
                .ToDictionary(member => member.Name, member => member.Value.GetString());
            members["Parent"] = parent;
            scans.Add(JsonSerializer.SerializeToElement(members));
        }

        if (node.TryGetProperty("Plans", out var children))
        {
            foreach (var child in children.EnumerateArray())
            {
                Collect(child, type, scans);
            }
        }
    }

    private static string StatementOf(string type, string statement) =>
        (string)
            typeof(Program)
                .Assembly.GetTypes()
                .Single(candidate => candidate.Name == "Sql" && candidate.DeclaringType?.Name == type)
                .GetField(statement, BindingFlags.Static | BindingFlags.Public)!
                .GetRawConstantValue()!;

    [GeneratedRegex(@"(?<!:)@(\w+)")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\bid = ")]
    private static partial Regex Id();
}
