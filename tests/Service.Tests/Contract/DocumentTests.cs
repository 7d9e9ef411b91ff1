using System.Net.Http.Headers;
using System.Reflection;
using System.Text.Json.Nodes;
using Bellhop.Features.Accounts.Tokens;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Features.Accounts;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Contract;

/// <summary>What everybody may rely on who works from the document alone.</summary>
public sealed class DocumentTests(ServiceFixture service)
{
    /// <summary>Answered where there is no operation, or by routes that the document leaves out.</summary>
    private static readonly string[] CodesOfNoOperation =
    [
        "method_not_allowed",
        "not_invited",
        "not_ready",
        "provider_failed",
    ];

    /// <summary>Their examples hold what is right for a moment or once; the tests of their slices take such.</summary>
    private static readonly string[] OfAMoment = ["/v1/auth/redeem", "/v1/auth/totp/confirm", "/v1/auth/totp/disable"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_body_answer_and_parameter_has_an_example_that_is_as_its_schema_says()
    {
        var document = await ApiDocument.ReadAsync(service);
        var faults = new List<string>();
        var count = 0;
        foreach (var operation in document.Operations)
        {
            foreach (var parameter in operation.Parameters)
            {
                Look($"{operation} parameter {parameter["name"]}", parameter["schema"]!, [parameter["example"]]);
            }

            var media = operation.Bodies.Select(body => (Name: $"{operation} body {body.Key}", body.Value));
            foreach (var (status, answer) in operation.Answers)
            {
                media = media.Concat(
                    (document.Follow(answer!)["content"]?.AsObject() ?? []).Select(body =>
                        (Name: $"{operation} {status} {body.Key}", body.Value)
                    )
                );
            }

            foreach (var (name, value) in media)
            {
                var many = value!["examples"]?.AsObject().Select(one => document.Follow(one.Value!)["value"]);
                Look(name, value["schema"]!, many?.ToArray() ?? [value["example"]]);
            }
        }

        Assert.True(count > 500, $"{count} examples");
        Assert.Empty(faults);

        void Look(string place, JsonNode schema, JsonNode?[] examples)
        {
            foreach (var example in examples)
            {
                count++;
                faults.AddRange(
                    example is null
                        ? [$"{place} has no example: let its type be IExampled"]
                        : document.Faults(schema, example).Select(fault => $"{place}: {fault}")
                );
            }
        }
    }

    [Fact]
    public async Task Every_text_number_list_and_object_has_its_bounds()
    {
        var document = await ApiDocument.ReadAsync(service);
        var faults = new List<string>();
        var count = 0;
        Walk(document.Root, "#");

        Assert.True(count > 300, $"{count} schemas");
        Assert.Empty(faults);

        void Walk(JsonNode? node, string place)
        {
            switch (node)
            {
                case JsonArray items:
                    for (var index = 0; index < items.Count; index++)
                    {
                        Walk(items[index], $"{place}/{index}");
                    }

                    break;
                case JsonObject members:
                    if (IsSchema(members, place))
                    {
                        count++;
                        faults.AddRange(Unbounded(members).Select(lack => $"{place} has no {lack}"));
                    }

                    foreach (var (name, value) in members.Where(member => member.Key is not ("example" or "examples")))
                    {
                        Walk(value, $"{place}/{name}");
                    }

                    break;
            }
        }

        static bool IsSchema(JsonObject node, string place) =>
            node["type"] is JsonValue or JsonArray
            && !place.EndsWith("/properties", StringComparison.Ordinal)
            && !place.Contains("/securitySchemes/", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_code_of_a_problem_is_declared_by_an_operation()
    {
        var document = await ApiDocument.ReadAsync(service);
        var declared = document
            .Operations.SelectMany(operation => operation.Answers)
            .SelectMany(answer => answer.Value!["content"]?[ProblemResponse.ContentType]?["examples"]?.AsObject() ?? [])
            .Select(example => example.Key)
            .ToHashSet(StringComparer.Ordinal);
        var written = typeof(Program)
            .Assembly.GetTypes()
            .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(field => field.FieldType == typeof(ProblemCode))
            .Select(field => ((ProblemCode)field.GetValue(null)!).Code)
            .ToArray();

        Assert.NotEmpty(written);
        Assert.Equal(CodesOfNoOperation, written.Except(declared).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Every_route_of_the_API_is_in_the_document_with_an_id_a_summary_and_a_tag_that_is_described()
    {
        var document = await ApiDocument.ReadAsync(service);
        var tags = document.Root["tags"]!.AsArray().ToDictionary(tag => $"{tag!["name"]}", tag => tag!["description"]);
        var names = service
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.Select(endpoint => endpoint.Metadata.GetMetadata<IEndpointNameMetadata>()?.EndpointName)
            .OfType<string>();

        Assert.NotEmpty(document.Operations);
        Assert.Equal(
            names.Order(StringComparer.Ordinal),
            document.Operations.Select(one => $"{one.Node["operationId"]}").Order(StringComparer.Ordinal)
        );
        Assert.All(
            document.Operations,
            operation =>
            {
                Assert.NotNull(operation.Node["summary"]);
                Assert.NotNull(tags.GetValueOrDefault($"{operation.Node["tags"]![0]}"));
            }
        );
    }

    [Fact]
    public async Task The_example_of_every_body_that_makes_something_is_taken()
    {
        var document = await ApiDocument.ReadAsync(service);
        var makers = document
            .Operations.Where(operation => operation is { Method: "POST" } && !operation.Path.Contains('{'))
            .SelectMany(operation => operation.Bodies.Select(body => (operation, body)))
            .Where(one => one.body.Key != "*/*")
            .ToArray();

        Assert.NotEmpty(makers);
        foreach (var (operation, body) in makers.Where(one => !OfAMoment.Contains(one.operation.Path)))
        {
            var project = await service.NewProjectAsync();
            var account = await TestAccount.CreateAsync(service, project.Id);
            using var user = account.SignedIn(await account.CookieAsync());
            if (operation.Path == "/v1/auth/login")
            {
                await account.SetAsync("email = 'ada@example.com', email_key = 'ada@example.com'");
            }

            if (operation.Path == "/v1/jobs/claim")
            {
                await project.Http.PostAsync("/v1/queues", """{"name":"mail"}""");
            }

            // the key of the example is nobody's
            var example = body.Value!["example"]!.ToJsonString();
            using var content = new StringContent(example.Replace(TokenRequest.Example.ApiKey!, project.Key));
            content.Headers.ContentType = new MediaTypeHeaderValue(body.Key);
            var isOfUser = operation.IsForUsers || operation.Path.StartsWith("/v1/auth/", StringComparison.Ordinal);
            var caller = isOfUser ? user : project.Http;
            using var answer = await caller.PostAsync(operation.Path, content, Token);

            Assert.True(
                answer.IsSuccessStatusCode,
                $"{operation} {body.Key}: {await answer.Content.ReadAsStringAsync(Token)}"
            );
        }
    }

    /// <summary>What the schema says nothing about and should.</summary>
    private static IEnumerable<string> Unbounded(JsonObject schema)
    {
        var types = schema["type"] is JsonArray many ? many.Select(one => $"{one}").ToArray() : [$"{schema["type"]}"];
        if (types.Contains("string") && schema["enum"] is null && schema["maxLength"] is null)
        {
            yield return "maxLength";
        }

        if ((types.Contains("integer") || types.Contains("number")) && schema["maximum"] is null)
        {
            yield return "maximum";
        }

        if ((types.Contains("integer") || types.Contains("number")) && schema["minimum"] is null)
        {
            yield return "minimum";
        }

        if (types.Contains("array") && schema["maxItems"] is null)
        {
            yield return "maxItems";
        }

        // an object without members holds what somebody else wrote
        if (types.Contains("object") && schema["properties"] is not null && schema["additionalProperties"] is null)
        {
            yield return "additionalProperties";
        }
    }
}
