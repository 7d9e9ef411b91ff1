using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bellhop.Tests.Contract;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Abuse;

/// <summary>R-47, R-48, R-51: JSON and texts that the database cannot hold never get as far as the database, whatever the route.</summary>
public sealed class JsonBombTests(ServiceFixture service)
{
    private const string Json = "application/json";
    private static readonly string Long = new('x', 6 * 1024);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, string> Bombs { get; } =
        new()
        {
            { "R-47", "65 levels", $"{new string('[', 65)}{new string(']', 65)}" },
            { "R-47", "65 levels of members", $"{Repeat("{\"a\":", 65)}1{new string('}', 65)}" },
            { "R-47", "100,000 levels", new string('[', 100_000) },
            { "R-47", "100,000 levels of members", Repeat("{\"a\":", 100_000) },
            { "R-47", "100,000 levels that end", $"{new string('[', 100_000)}{new string(']', 100_000)}" },
            { "R-48", "half of a surrogate pair", """{"a":"\ud800"}""" },
            { "R-48", "NUL", """{"a":"\u0000"}""" },
            { "R-48", "NUL in a name", """{"a\u0000":1}""" },
            { "R-48", "no UTF-8", "{\"a\":\"\u00ff\"}" },
            { "R-48", "an overlong slash", "{\"a\":\"\u00c0\u00af\"}" },
            { "R-48", "a number beyond a double", """{"a":1e999}""" },
        };

    [Theory]
    [MemberData(nameof(Bombs), DisableDiscoveryEnumeration = true)]
    [Trait("Abuse", "R-47")]
    public async Task R47_R48_no_route_takes_it(string number, string name, string text)
    {
        var project = await service.NewProjectAsync();
        var operations = await OperationsAsync();
        foreach (var operation in operations)
        {
            // one byte a character
            var bytes = Encoding.Latin1.GetBytes(text);
            var (status, answer) = await SendAsync(project, operation, new ByteArrayContent(bytes));

            Assert.True(status == 400, $"{number} {name}: {operation} answers {status} {answer}");
        }
    }

    [Fact]
    [Trait("Abuse", "R-48")]
    public async Task R48_NUL_in_any_text_of_any_document_is_refused_where_it_stands()
    {
        var project = await service.NewProjectAsync();
        var tried = 0;
        foreach (var operation in await OperationsAsync())
        {
            foreach (var (document, pointer) in WithEachText(operation, "a\0b"))
            {
                var (status, answer) = await SendAsync(project, operation, new StringContent(document));

                Assert.True(
                    // a batch is taken, its items one by one
                    answer.Contains("invalid_character", StringComparison.Ordinal) && status is 400 or 202,
                    $"{operation} {pointer}: {status} {answer}"
                );
                Assert.Contains(pointer, answer, StringComparison.Ordinal);
                tried++;
            }
        }

        Assert.True(tried > 50, $"{tried}");
    }

    [Fact]
    [Trait("Abuse", "R-51")]
    public async Task R51_six_kibibytes_in_any_text_of_any_document_never_break_an_index()
    {
        var project = await service.NewProjectAsync();
        var refused = 0;
        foreach (var operation in await OperationsAsync())
        {
            foreach (var (document, pointer) in WithEachText(operation, Long))
            {
                var (status, answer) = await SendAsync(project, operation, new StringContent(document));

                Assert.True(status < 500, $"{operation} {pointer}: {status} {answer}");
                Assert.DoesNotContain("\"status\":5", answer, StringComparison.Ordinal);
                refused += status is 400 or 422 ? 1 : 0;
            }
        }

        Assert.True(refused > 15, $"{refused}");
    }

    [Theory]
    [InlineData("/v1/events", """{"type":"#","source":"s"}""", "/type")]
    [InlineData("/v1/events", """{"type":"t","source":"#"}""", "/source")]
    [InlineData("/v1/events", """{"type":"t","source":"s","id":"#"}""", "/id")]
    [InlineData("/v1/events", """{"type":"t","source":"s","subject":"#"}""", "/subject")]
    [InlineData("/v1/jobs", """{"kind":"#"}""", "/kind")]
    [InlineData("/v1/jobs", """{"kind":"noop","queue":"#"}""", "/queue")]
    [InlineData("/v1/sources", """{"name":"#","scheme":"github"}""", "/name")]
    [InlineData("/v1/webhook-endpoints", """{"name":"#","url":"https://a.example","event_types":["*"]}""", "/name")]
    [InlineData(
        "/v1/webhook-endpoints",
        """{"name":"a","url":"https://a.example","event_types":["#"]}""",
        "/event_types/0"
    )]
    [Trait("Abuse", "R-51")]
    public async Task R51_what_is_looked_up_by_has_a_limit_and_says_so(string path, string json, string pointer)
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.PostAsync(path, json.Replace("#", Long, StringComparison.Ordinal));

        Assert.True((int)answer.Status is 400 or 422, answer.Text);
        Assert.Contains(
            pointer,
            answer.Body.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("pointer").GetString())
        );
    }

    [Fact]
    [Trait("Abuse", "R-51")]
    public async Task R51_an_idempotency_key_of_six_kibibytes_is_400_on_every_route_that_takes_one()
    {
        var project = await service.NewProjectAsync();
        var takers = (await OperationsAsync()).Where(one => one.Parameters.Any(IsIdempotencyKey)).ToArray();
        Assert.True(takers.Length > 5, $"{takers.Length}");
        foreach (var operation in takers)
        {
            var (status, answer) = await SendAsync(
                project,
                operation,
                new StringContent("{}"),
                ("Idempotency-Key", Long)
            );

            Assert.True(status == 400, $"{operation}: {status} {answer}");
            Assert.Contains("\"header\":\"Idempotency-Key\"", answer, StringComparison.Ordinal);
        }
    }

    [Fact]
    [Trait("Abuse", "R-51")]
    public async Task R48_R51_no_parameter_of_any_list_takes_NUL_half_an_encoding_or_breaks_at_six_kibibytes()
    {
        var project = await service.NewProjectAsync();
        var tried = 0;
        foreach (var operation in (await ApiDocument.ReadAsync(service)).Operations.Where(one => one.Method == "GET"))
        {
            foreach (var parameter in operation.Parameters.Where(one => $"{one["in"]}" == "query"))
            {
                foreach (
                    var (text, fits) in new (string, Predicate<int>)[]
                    {
                        ("%00", status => status == 400),
                        ("%ff", status => status == 400),
                        ("%ed%a0%80", status => status == 400),
                        (Long, status => status < 500),
                    }
                )
                {
                    var path = $"{Fill(operation.Path)}?{Uri.EscapeDataString($"{parameter["name"]}")}={text}";
                    using var answer = await project.Http.GetAsync(
                        new Uri(path, UriKind.Relative),
                        HttpCompletionOption.ResponseHeadersRead, // a stream has no end
                        Token
                    );
                    Assert.True(fits((int)answer.StatusCode), $"{operation} {path}: {answer.StatusCode}");
                    tried++;
                }
            }
        }

        Assert.True(tried > 100, $"{tried}");
    }

    [Theory]
    [InlineData("Authorization", "Bearer ")]
    [InlineData("X-Request-Id", "")]
    [InlineData("Last-Event-ID", "")]
    [InlineData("If-None-Match", "\"")]
    [InlineData("Prefer", "wait=")]
    [InlineData("traceparent", "00-")]
    [InlineData("Accept", "application/json;q=")]
    [Trait("Abuse", "R-51")]
    public async Task R51_no_header_breaks_anything_at_six_kibibytes(string header, string start)
    {
        var project = await service.NewProjectAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/jobs");
        request.Headers.TryAddWithoutValidation(header, start + Long);
        using var answer = await project.Http.SendAsync(request, Token);

        Assert.True((int)answer.StatusCode < 500, $"{answer.StatusCode}");
        Assert.True(answer.Headers.GetValues("X-Request-Id").Single().Length <= 64);
    }

    /// <summary>Everything that reads JSON and is no webhook.</summary>
    private async Task<IReadOnlyList<Operation>> OperationsAsync()
    {
        var document = await ApiDocument.ReadAsync(service);
        var operations = document
            .Operations.Where(one =>
                one.Bodies.Any(body => body.Key == Json) && !one.Path.StartsWith("/in/", StringComparison.Ordinal)
            )
            .ToArray();
        Assert.True(operations.Length > 10, $"{operations.Length}");
        return operations;
    }

    private async Task<(int Status, string Answer)> SendAsync(
        TestProject project,
        Operation operation,
        HttpContent content,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(new HttpMethod(operation.Method), Fill(operation.Path));
        request.Content = content;
        content.Headers.ContentType = new MediaTypeHeaderValue(Json);
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        // anew for each: signing out, and a new password, end what signed him in
        var caller = operation.IsForUsers ? (await TestUser.CreateAsync(service, project.Id)).Http : project.Http;
        using var answer = await caller.SendAsync(request, Token);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(Token));
    }

    private static string Fill(string path) =>
        string.Join('/', path.Split('/').Select(part => part.StartsWith('{') ? $"{Guid.CreateVersion7()}" : part));

    private static bool IsIdempotencyKey(JsonObject parameter) => $"{parameter["name"]}" == "Idempotency-Key";

    /// <summary>The document's example, once for each text in it, with that replaced; and the pointer to the text.</summary>
    private static IEnumerable<(string Document, string Pointer)> WithEachText(Operation operation, string text)
    {
        var content = operation.Bodies.Single(body => body.Key == Json).Value!;
        var example = content["example"] ?? content["examples"]!.AsObject().First().Value!["value"]!;
        foreach (var pointer in Texts(example, ""))
        {
            var document = example.DeepClone();
            Replace(document, pointer.Split('/')[1..], text);
            yield return (document.ToJsonString(), pointer);
        }
    }

    private static IEnumerable<string> Texts(JsonNode? node, string pointer) =>
        node switch
        {
            JsonObject members => members.SelectMany(member => Texts(member.Value, $"{pointer}/{member.Key}")),
            JsonArray items => items.SelectMany((item, index) => Texts(item, $"{pointer}/{index}")),
            JsonValue value when value.GetValueKind() == JsonValueKind.String => [pointer],
            _ => [],
        };

    private static void Replace(JsonNode node, string[] path, string text)
    {
        var parent = path[..^1]
            .Aggregate(node, (at, name) => at is JsonArray list ? list[int.Parse(name, null)]! : at[name]!);
        if (parent is JsonArray items)
        {
            items[int.Parse(path[^1], null)] = text;
        }
        else
        {
            parent[path[^1]] = text;
        }
    }

    private static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));
}
