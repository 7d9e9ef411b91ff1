using System.Net;
using System.Text.Json;
using Bellhop.Tests.Support;

namespace Bellhop.Tests.Features.Connections;

/// <summary>Documents of connections, one a kind, as tests make them.</summary>
internal static class TestConnections
{
    public const string Path = "/v1/connections";

    /// <summary>A sound document of each kind, on addresses the tests allow.</summary>
    public static readonly Dictionary<string, string> Sound = new(StringComparer.Ordinal)
    {
        ["http"] =
            """{"kind":"http","config":{"base_url":"http://127.0.0.1:9/api","auth":{"type":"header","name":"X-Api-Key"},"rate":{"requests":10,"seconds":1},"allowed_hosts":["cdn.example.com"]},"secret":{"value":"s"}}""",
        ["postgresql"] =
            """{"kind":"postgresql","config":{"host":"127.0.0.1","port":9,"database":"shop","user":"reader","tls":"off"},"secret":{"value":"s"}}""",
        ["mysql"] =
            """{"kind":"mysql","config":{"host":"db.example.com","database":"shop","user":"reader"},"secret":{"value":"s"}}""",
        ["smtp"] =
            """{"kind":"smtp","config":{"host":"mail.example.com","user":"shop","from":"Shop <help@shop.example>","tls":"implicit"},"secret":{"value":"s"}}""",
        ["s3"] =
            """{"kind":"s3","config":{"endpoint":"https://s3.example.com","region":"eu-1","bucket":"exports","access_key_id":"AKIA"},"secret":{"value":"s"}}""",
        ["llm"] = """{"kind":"llm","config":{"base_url":"https://llm.example.com/v1","model":"small"}}""",
    };

    public static async Task<Answer> MakeAsync(this TestProject project, string name, string document) =>
        (await project.Http.ChangeAsync("PUT", $"{Path}/{name}", document)).Expect(HttpStatusCode.Created);

    /// <summary>Pointers and codes of the errors of a problem.</summary>
    public static IEnumerable<(string? Pointer, string? Code)> Errors(this Answer answer) =>
        answer.Body.GetProperty("errors").EnumerateArray().Select(error => (error.Text("pointer"), error.Text("code")));

    private static string? Text(this JsonElement element, string member) =>
        element.TryGetProperty(member, out var value) ? value.GetString() : null;
}
