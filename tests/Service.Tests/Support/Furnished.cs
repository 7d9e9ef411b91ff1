using System.Net;

namespace Bellhop.Tests.Support;

/// <summary>A project with one of everything, and the id of each by the path it is listed at.</summary>
public sealed class Furnished
{
    private readonly Dictionary<string, string> _ids = new(StringComparer.Ordinal);

    private Furnished(TestProject project) => Project = project;

    public TestProject Project { get; }

    /// <summary>The path of an operation with the ids of this project in it.</summary>
    public string Fill(string template) => Fill(template, list => _ids[list]);

    /// <summary>The same with ids of somebody's choice.</summary>
    public static string Fill(string template, Func<string, string> idOf)
    {
        var at = template.IndexOf('{', StringComparison.Ordinal);
        if (at < 0)
        {
            return template;
        }

        var end = template.IndexOf('}', at);
        var list = template[..at].TrimEnd('/');
        return Fill(template[..at] + idOf(list) + template[(end + 1)..], idOf);
    }

    /// <param name="lists">The paths whose things are named by operations.</param>
    public static async Task<Furnished> CreateAsync(ServiceFixture service, IEnumerable<string> lists)
    {
        var furnished = new Furnished(await service.NewProjectAsync());
        var owner = await TestUser.CreateAsync(service, furnished.Project.Id);
        var key = furnished.Project.Http;
        await MakeAsync(key, "/v1/sources", """{"name":"hub","scheme":"github","secret":"kept-for-the-tests"}""");
        await MakeAsync(
            key,
            "/v1/webhook-endpoints",
            """{"name":"shop","url":"https://127.0.0.1:9/","event_types":["furnish"]}"""
        );
        await MakeAsync(
            key,
            "/v1/connections",
            """{"name":"crm","kind":"http","config":{"base_url":"https://127.0.0.1:9"}}"""
        );
        await MakeAsync(
            key,
            "/v1/token-issuers",
            """{"name":"ci","issuer":"https://issuer.example.com","audience":"bellhop","role":"viewer"}"""
        );
        (
            await key.CallAsync("PUT", $"/v1/secrets/kept-{Guid.NewGuid():N}", """{"value":"kept-for-the-tests"}""")
        ).Expect(HttpStatusCode.Created);
        await MakeAsync(
            key,
            "/v1/automations",
            """{"name":"furnish","on":{"type":["furnish"]},"steps":[{"id":"a","uses":"set","with":{"x":1}}]}"""
        );
        (await key.PostAsync("/v1/events", """{"type":"furnish","source":"tests"}""")).Expect(HttpStatusCode.Accepted);
        await MakeAsync(key, "/v1/users/invite", """{"email":"furnish@example.com","role":"viewer"}""");
        await MakeAsync(key, "/v1/queues", """{"name":"furnish","served_by":"service"}""");
        await MakeAsync(key, "/v1/queues", """{"name":"mail"}""");
        (
            await key.PostAsync(
                "/v1/jobs/claim",
                $$"""{"worker":{"id":"{{Guid.NewGuid()}}","name":"w"},"claim_key":"{{Guid.NewGuid()}}","queues":[{"name":"mail"}]}"""
            )
        ).Expect(HttpStatusCode.OK);
        await MakeAsync(key, "/v1/jobs", """{"queue":"default","kind":"noop","args":{}}""");
        foreach (var list in lists.Distinct())
        {
            furnished._ids[list] = await FirstAsync(
                list == "/v1/projects" || list.StartsWith("/v1/auth/", StringComparison.Ordinal) ? owner.Http : key,
                list
            );
        }

        return furnished;
    }

    private static async Task MakeAsync(HttpClient http, string path, string json) =>
        (await http.PostAsync(path, json)).Expect(HttpStatusCode.Created);

    // the newest one: what its owner made last
    private static Task<string> FirstAsync(HttpClient http, string list) =>
        Eventually.FitAsync(
            async () =>
            {
                var items = (await http.CallAsync("GET", list)).Expect(HttpStatusCode.OK).Body.GetProperty("items");
                return items.GetArrayLength() == 0 ? ""
                    : items[0].TryGetProperty("id", out var id) ? id.GetString()!
                    : items[0].GetProperty("name").GetString()!;
            },
            id => id.Length > 0
        );
}
