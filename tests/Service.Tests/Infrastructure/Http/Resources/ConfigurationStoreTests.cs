using System.Net;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http.Resources;

/// <summary>What holds for every kind of configuration.</summary>
public sealed class ConfigurationStoreTests(ServiceFixture service)
{
    /// <summary>A kind: where it is, a document of it, a patch that changes one member, and that member as it is shown.</summary>
    private static readonly Dictionary<string, (string Document, string Patch, string Member)> Kinds = new(
        StringComparer.Ordinal
    )
    {
        ["/v1/automations"] = (
            """{"on":{"type":["a.b"]},"steps":[{"id":"s","uses":"set","with":{"n":1}}]}""",
            """{"enabled":false}""",
            "state"
        ),
        ["/v1/connections"] = (
            """{"kind":"http","config":{"base_url":"http://127.0.0.1:9","auth":{"type":"bearer"}},"secret":{"value":"s"}}""",
            """{"config":{"base_url":"http://127.0.0.1:9/other"}}""",
            "config"
        ),
        ["/v1/queues"] = (
            """{"served_by":"service","max_running":4,"rate":{"count":10,"seconds":60}}""",
            """{"rate":{"count":20}}""",
            "rate"
        ),
        ["/v1/sources"] = (
            """{"scheme":"github","secret":"a secret of ours"}""",
            """{"scheme":"standard-webhooks","secret":"whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw"}""",
            "scheme"
        ),
        ["/v1/token-issuers"] = (
            """{"issuer":"https://issuer.example.com","audience":"bellhop","role":"viewer"}""",
            """{"audience":"shop"}""",
            "audience"
        ),
        ["/v1/webhook-endpoints"] = (
            """{"url":"http://127.0.0.1:9/hook","event_types":["a.b"]}""",
            """{"url":"http://127.0.0.1:9/other"}""",
            "url"
        ),
    };

    public static TheoryData<string> Paths => [.. Kinds.Keys];

    [Fact]
    public void Every_kind_of_configuration_is_here()
    {
        var routes = service
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint =>
                endpoint.Metadata.GetMetadata<ConditionalWrite>() is not null
                // what its maker is shown once cannot be put
                && endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Contains("PUT") == true
            )
            .Select(endpoint => endpoint.RoutePattern.RawText!.Split("/{")[0])
            .ToHashSet(StringComparer.Ordinal);

        Assert.Equal(Kinds.Keys.Order(StringComparer.Ordinal), routes.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void It_has_every_verb_there_is(string path)
    {
        var verbs = service
            .Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint =>
                endpoint.RoutePattern.RawText == path || endpoint.RoutePattern.RawText == $"{path}/{{id}}"
            )
            .SelectMany(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods);

        Assert.Equal(["DELETE", "GET", "GET", "PATCH", "POST", "PUT"], verbs.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task A_put_makes_it_and_then_replaces_what_was_seen(string path)
    {
        var http = (await service.NewProjectAsync()).Http;
        var document = Kinds[path].Document;

        var made = (await http.ChangeAsync("PUT", $"{path}/mine", document)).Expect(HttpStatusCode.Created);
        var again = (await http.ChangeAsync("PUT", $"{path}/mine", document, made.ETag)).Expect(HttpStatusCode.OK);
        var byId = (await http.ChangeAsync("PUT", $"{path}/{made.Id}", document, again.ETag)).Expect(HttpStatusCode.OK);

        Assert.Equal($"{path}/{made.Id}", made.Location);
        Assert.Equal((made.Id, made.Id), (again.Id, byId.Id));
        Assert.Equal(3, new[] { made.ETag, again.ETag, byId.ETag }.Distinct().Count());
        Assert.Equal(byId.ETag, (await http.CallAsync("GET", $"{path}/mine")).ETag);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task A_patch_changes_only_what_it_names(string path)
    {
        var http = (await service.NewProjectAsync()).Http;
        var (document, patch, member) = Kinds[path];
        var made = await http.ChangeAsync("PUT", $"{path}/mine", document);

        var patched = (
            await http.CallAsync(
                "PATCH",
                $"{path}/mine",
                patch,
                "application/merge-patch+json",
                ("If-Match", made.ETag!)
            )
        ).Expect(HttpStatusCode.OK);
        var shown = await http.CallAsync("GET", $"{path}/mine");

        Assert.NotEqual($"{made.Body.GetProperty(member)}", $"{patched.Body.GetProperty(member)}");
        Assert.Equal($"{patched.Body.GetProperty(member)}", $"{shown.Body.GetProperty(member)}");
        Assert.Equal(patched.ETag, shown.ETag);
        Assert.Equal("mine", shown.Body.GetProperty("name").GetString());
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task A_change_without_If_Match_is_428_and_does_nothing(string path)
    {
        var http = (await service.NewProjectAsync()).Http;
        var (document, patch, _) = Kinds[path];
        var made = await http.ChangeAsync("PUT", $"{path}/mine", document);

        Answer[] answers =
        [
            await http.ChangeAsync("PUT", $"{path}/mine", document),
            await http.ChangeAsync("PATCH", $"{path}/mine", patch),
            await http.ChangeAsync("DELETE", $"{path}/mine"),
        ];

        Assert.All(answers, answer => Assert.Equal((428, "precondition_required"), ((int)answer.Status, answer.Code)));
        Assert.Equal(made.ETag, (await http.CallAsync("GET", $"{path}/mine")).ETag);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task A_change_of_a_state_that_is_no_more_is_412_and_names_the_one_there_is(string path)
    {
        var http = (await service.NewProjectAsync()).Http;
        var (document, patch, _) = Kinds[path];
        var old = await http.ChangeAsync("PUT", $"{path}/mine", document);
        var now = await http.ChangeAsync("PUT", $"{path}/mine", document, old.ETag);

        Answer[] answers =
        [
            await http.ChangeAsync("PUT", $"{path}/mine", document, old.ETag),
            await http.ChangeAsync("PATCH", $"{path}/mine", patch, old.ETag),
            await http.ChangeAsync("DELETE", $"{path}/mine", ifMatch: old.ETag),
            await http.ChangeAsync("DELETE", $"{path}/mine", ifMatch: $"W/{now.ETag}"),
        ];

        Assert.All(answers, answer => Assert.Equal((412, "precondition_failed"), ((int)answer.Status, answer.Code)));
        Assert.All(answers, answer => Assert.Equal(now.ETag, answer.ETag));
        Assert.Equal(now.ETag, (await http.CallAsync("GET", $"{path}/mine")).ETag);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task Of_two_writers_who_saw_the_same_one_wins(string path)
    {
        var http = (await service.NewProjectAsync()).Http;
        var (document, patch, _) = Kinds[path];
        var seen = await http.ChangeAsync("PUT", $"{path}/mine", document);

        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(number =>
                    number % 2 == 0
                        ? http.ChangeAsync("PUT", $"{path}/mine", document, seen.ETag)
                        : http.ChangeAsync("PATCH", $"{path}/mine", patch, seen.ETag)
                )
        );

        Assert.Equal(1, answers.Count(answer => answer.Status == HttpStatusCode.OK));
        Assert.Equal(7, answers.Count(answer => answer.Status == HttpStatusCode.PreconditionFailed));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task Of_two_who_make_the_same_name_one_makes_it(string path)
    {
        var http = (await service.NewProjectAsync()).Http;

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => http.ChangeAsync("PUT", $"{path}/mine", Kinds[path].Document))
        );

        Assert.Equal(1, answers.Count(answer => answer.Status == HttpStatusCode.Created));
        Assert.Equal(7, answers.Count(answer => (int)answer.Status == 428));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task What_is_deleted_is_gone_and_its_name_is_free(string path)
    {
        var http = (await service.NewProjectAsync()).Http;
        var document = Kinds[path].Document;
        var first = await http.ChangeAsync("PUT", $"{path}/mine", document);

        var deleted = await http.ChangeAsync("DELETE", $"{path}/mine", ifMatch: first.ETag);
        var missing = await http.CallAsync("GET", $"{path}/{first.Id}");
        var listed = await http.CallAsync("GET", path);
        var twice = await http.ChangeAsync("DELETE", $"{path}/mine", ifMatch: "*");
        var second = await http.ChangeAsync("PUT", $"{path}/mine", document);
        var stale = await http.ChangeAsync("DELETE", $"{path}/mine", ifMatch: first.ETag);

        Assert.Equal((HttpStatusCode.NoContent, ""), (deleted.Status, deleted.Text));
        Assert.Equal(HttpStatusCode.NotFound, missing.Status);
        Assert.DoesNotContain(first.Id.ToString(), listed.Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, twice.Status);
        Assert.Equal(HttpStatusCode.Created, second.Status);
        Assert.Equal(HttpStatusCode.PreconditionFailed, stale.Status);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task A_name_stays(string path)
    {
        var http = (await service.NewProjectAsync()).Http;
        var made = await http.ChangeAsync("PUT", $"{path}/mine", Kinds[path].Document);

        var answer = await http.ChangeAsync("PATCH", $"{path}/mine", """{"name":"yours"}""", made.ETag);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.Status);
        var error = answer.Body.GetProperty("errors")[0];
        Assert.Equal(
            ("/name", "name_differs"),
            (error.GetProperty("pointer").GetString(), error.GetProperty("code").GetString())
        );
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task A_name_that_is_none_is_told_of_the_path_it_stands_in(string path)
    {
        var http = (await service.NewProjectAsync()).Http;

        var answer = await http.ChangeAsync("PUT", $"{path}/No_Name", Kinds[path].Document);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.Status);
        var error = answer.Body.GetProperty("errors")[0];
        Assert.Equal(
            ("id", "invalid_name"),
            (error.GetProperty("parameter").GetString(), error.GetProperty("code").GetString())
        );
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task A_patch_that_fits_no_document_is_refused_with_its_place(string path)
    {
        var http = (await service.NewProjectAsync()).Http;
        await http.ChangeAsync("PUT", $"{path}/mine", Kinds[path].Document);

        var unknown = await http.ChangeAsync("PATCH", $"{path}/mine", """{"colour":"red"}""", "*");
        var unknownGone = await http.ChangeAsync("PATCH", $"{path}/mine", """{"colour":null}""", "*");
        var noObject = await http.ChangeAsync("PATCH", $"{path}/mine", "[]", "*");
        var wrongType = await http.CallAsync("PATCH", $"{path}/mine", "{}", "text/plain", ("If-Match", "*"));

        Assert.Equal(HttpStatusCode.BadRequest, unknown.Status);
        Assert.Equal("/colour", unknown.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
        Assert.Equal(HttpStatusCode.BadRequest, unknownGone.Status);
        Assert.Equal("/colour", unknownGone.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
        Assert.Equal(HttpStatusCode.BadRequest, noObject.Status);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, wrongType.Status);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task Another_projects_is_not_there(string path)
    {
        var http = (await service.NewProjectAsync()).Http;
        var other = (await service.NewProjectAsync()).Http;
        var (document, patch, _) = Kinds[path];
        var made = await http.ChangeAsync("PUT", $"{path}/mine", document);

        Answer[] answers =
        [
            await other.CallAsync("GET", $"{path}/{made.Id}"),
            await other.ChangeAsync("PUT", $"{path}/{made.Id}", document, made.ETag),
            await other.ChangeAsync("PATCH", $"{path}/{made.Id}", patch, made.ETag),
            await other.ChangeAsync("DELETE", $"{path}/{made.Id}", ifMatch: made.ETag),
        ];

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.NotFound, answer.Status));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task A_viewer_changes_nothing(string path)
    {
        var project = await service.NewProjectAsync();
        var (document, patch, _) = Kinds[path];
        var made = await project.Http.ChangeAsync("PUT", $"{path}/mine", document);
        await project.UseKeyAsync("viewer");

        Answer[] answers =
        [
            await project.Http.ChangeAsync("PUT", $"{path}/mine", document, made.ETag),
            await project.Http.ChangeAsync("PATCH", $"{path}/mine", patch, made.ETag),
            await project.Http.ChangeAsync("DELETE", $"{path}/mine", ifMatch: made.ETag),
        ];

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Forbidden, answer.Status));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task A_reader_who_has_it_is_answered_304(string path)
    {
        var http = (await service.NewProjectAsync()).Http;
        var made = await http.ChangeAsync("PUT", $"{path}/mine", Kinds[path].Document);

        var same = await http.CallAsync("GET", $"{path}/mine", headers: ("If-None-Match", $"\"other\", {made.ETag}"));
        var other = await http.CallAsync("GET", $"{path}/mine", headers: ("If-None-Match", "\"other\""));

        Assert.Equal((HttpStatusCode.NotModified, "", made.ETag), (same.Status, same.Text, same.ETag));
        Assert.Equal(HttpStatusCode.OK, other.Status);
    }

    [Theory]
    [InlineData("If-Match", "no quotes")]
    [InlineData("If-Match", "\"a\" \"b\"")]
    [InlineData("If-None-Match", "\"a\"")]
    public async Task A_precondition_that_says_nothing_is_400_and_named(string header, string value)
    {
        var http = (await service.NewProjectAsync()).Http;

        var answer = await http.CallAsync("DELETE", "/v1/sources/mine", headers: (header, value));

        Assert.Equal((400, "invalid_header"), ((int)answer.Status, answer.Code));
        Assert.Equal(header, answer.Body.GetProperty("errors")[0].GetProperty("header").GetString());
    }

    [Fact]
    public async Task If_None_Match_any_only_makes()
    {
        var http = (await service.NewProjectAsync()).Http;
        var document = Kinds["/v1/sources"].Document;

        var made = await http.CallAsync("PUT", "/v1/sources/mine", document, headers: ("If-None-Match", "*"));
        var refused = await http.CallAsync("PUT", "/v1/sources/mine", document, headers: ("If-None-Match", "*"));
        var matched = await http.CallAsync("PUT", "/v1/sources/yours", document, headers: ("If-Match", "*"));

        Assert.Equal(
            [HttpStatusCode.Created, HttpStatusCode.PreconditionFailed, HttpStatusCode.PreconditionFailed],
            [made.Status, refused.Status, matched.Status]
        );
        Assert.Equal("If-None-Match", refused.Body.GetProperty("errors")[0].GetProperty("header").GetString());
        Assert.Equal("If-Match", matched.Body.GetProperty("errors")[0].GetProperty("header").GetString());
    }
}
