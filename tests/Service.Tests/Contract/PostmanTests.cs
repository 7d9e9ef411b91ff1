using System.Text.Json;
using Bellhop.Tests.Infrastructure.Outgoing;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Contract;

/// <summary>The collections that users import, run as Postman runs them against the running service.</summary>
/// <remarks>That the one is made from the document of today is a golden file's matter.</remarks>
public sealed class PostmanTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("bellhop")]
    [InlineData("flows")]
    public async Task Every_request_of_the_collection_is_answered_as_it_says(string name)
    {
        var collection = Path.Combine(Checkout.Root, $"deploy/postman/{name}.postman_collection.json");
        var project = await service.NewProjectAsync();
        await using var receiver = LoopbackServer.Answering("HTTP/1.1 204 No Content\r\n\r\n");
        var report = Path.GetTempFileName();

        var (exitCode, output, error) = await NpmProgram.RunAsync(
            "newman",
            "run",
            collection,
            "--env-var",
            $"baseUrl={service.Address.ToString().TrimEnd('/')}",
            "--env-var",
            $"bearerToken={project.Key}",
            "--env-var",
            $"receiver={receiver.Url}",
            "--reporters",
            "cli,json",
            "--reporter-json-export",
            report,
            "--color",
            "off"
        );

        Assert.True(exitCode == 0, output + error);
        using var told = JsonDocument.Parse(await File.ReadAllBytesAsync(report, Token));
        File.Delete(report);
        var asked = told.RootElement.GetProperty("run").GetProperty("executions").EnumerateArray().ToArray();
        Assert.Equal(await NamesAsync(collection), asked.Select(NameOf).ToHashSet(StringComparer.Ordinal));
        Assert.All(asked, one => Assert.NotEmpty(one.GetProperty("assertions").EnumerateArray()));
    }

    private static async Task<HashSet<string>> NamesAsync(string collection)
    {
        using var file = JsonDocument.Parse(await File.ReadAllBytesAsync(collection, Token));
        return
        [
            .. file
                .RootElement.GetProperty("item")
                .EnumerateArray()
                .SelectMany(folder => folder.GetProperty("item").EnumerateArray())
                .Select(request => request.GetProperty("name").GetString()!),
        ];
    }

    private static string NameOf(JsonElement execution) =>
        execution.GetProperty("item").GetProperty("name").GetString()!;
}
