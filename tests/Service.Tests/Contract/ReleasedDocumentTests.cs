using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Contract;

/// <summary>A client that was made from the document of the last release goes on working.</summary>
public sealed class ReleasedDocumentTests(ServiceFixture service)
{
    private static string Folder => Path.Combine(Checkout.Root, "tests", "Service.Tests", "Golden");

    [Fact]
    public async Task Nothing_that_was_released_is_gone_or_narrower()
    {
        var changes = BreakingChanges.Between(Released(), await ApiDocument.ReadAsync(service));
        var corrections = File.ReadAllLines(Path.Combine(Folder, "openapi-corrections.txt"))
            .Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => new Regex($"^{Regex.Escape(line).Replace(@"\*", ".*", StringComparison.Ordinal)}$"))
            .ToArray();

        var broken = changes.Where(change => !corrections.Any(correction => correction.IsMatch(change))).ToArray();
        Assert.True(broken.Length == 0, string.Join('\n', broken));
        Assert.All(corrections, correction => Assert.Contains(changes, change => correction.IsMatch(change)));
    }

    [Theory]
    [InlineData("paths//v1/jobs/post", null, "POST /v1/jobs: the operation is gone")]
    [InlineData("paths//v1/jobs/get/parameters/0", null, "GET /v1/jobs query state: the parameter is gone")]
    [InlineData("paths//v1/jobs/get/operationId", "\"jobs\"", "GET /v1/jobs: the operation has another id")]
    [InlineData("paths//v1/jobs/post/responses/422", null, "POST /v1/jobs 422: the answer is gone")]
    [InlineData(
        "components/schemas/JobDocument/properties/queue",
        null,
        "POST /v1/jobs body/queue: is no longer taken"
    )]
    [InlineData(
        "components/schemas/JobDocument/required",
        """["kind","queue"]""",
        "POST /v1/jobs body/queue: is required now"
    )]
    [InlineData(
        "components/schemas/JobDocument/properties/priority/type",
        "\"string\"",
        "POST /v1/jobs body/priority: the type is narrower"
    )]
    [InlineData(
        "components/schemas/JobDocument/properties/kind/maxLength",
        "50",
        "POST /v1/jobs body/kind: maxLength is lower"
    )]
    [InlineData(
        "components/schemas/RetryPolicy/properties/strategy/enum",
        """["list","linear"]""",
        "POST /v1/jobs body/retry/strategy: exponential is no longer taken"
    )]
    [InlineData(
        "components/schemas/EnqueueJobResponse/properties/state",
        null,
        "POST /v1/jobs 201/state: is no longer answered"
    )]
    [InlineData(
        "components/schemas/EnqueueJobResponse/properties/id/type",
        """["string","null"]""",
        "POST /v1/jobs 201/id: the type is another"
    )]
    [InlineData(
        "components/schemas/EnqueueJobResponse/required",
        """["id"]""",
        "POST /v1/jobs 201/state: is not always answered now"
    )]
    public async Task A_change_that_breaks_a_client_is_found(string place, string? becomes, string change)
    {
        var today = await ApiDocument.ReadAsync(service);
        var changed = JsonNode.Parse(today.Root.ToJsonString())!.AsObject();
        Set(changed, place, becomes);

        var changes = BreakingChanges.Between(today, new ApiDocument(changed));

        Assert.Contains(change, changes);
        Assert.Empty(BreakingChanges.Between(today, today));
    }

    private static ApiDocument Released() =>
        new(JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "openapi-released.json")))!.AsObject());

    // a path of the document begins with a slash, so it stands behind two
    private static void Set(JsonNode root, string place, string? becomes)
    {
        var steps = place.StartsWith("paths/", StringComparison.Ordinal)
            ? ["paths", "/v1/jobs", .. place["paths//v1/jobs/".Length..].Split('/')]
            : place.Split('/');
        var parent = steps[..^1]
            .Aggregate(root, (at, step) => at is JsonArray items ? items[int.Parse(step)]! : at[step]!);
        if (parent is JsonArray list)
        {
            list.RemoveAt(int.Parse(steps[^1]));
        }
        else if (becomes is null)
        {
            parent.AsObject().Remove(steps[^1]);
        }
        else
        {
            parent[steps[^1]] = JsonNode.Parse(becomes);
        }
    }
}
