using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.ApiKeys;

public sealed class PatchApiKeyTests(ServiceFixture service)
{
    [Fact]
    public async Task What_a_key_may_do_changes_at_once_and_under_a_precondition()
    {
        var project = await service.NewProjectAsync();
        var made = (await project.Http.PostAsync("/v1/api-keys", """{"name":"k","role":"viewer"}""")).Expect(
            HttpStatusCode.Created
        );
        using var client = service.NewClient(made.Body.GetProperty("key").GetString());
        (await client.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);
        var path = $"/v1/api-keys/{made.Id}";
        var etag = (await project.Http.CallAsync("GET", path)).ETag!;

        (await project.Http.CallAsync("PATCH", path, """{"scopes":["events:read"]}""")).Expect(
            HttpStatusCode.PreconditionRequired
        );
        var patched = await project.Http.CallAsync(
            "PATCH",
            path,
            """{"scopes":["events:read"]}""",
            headers: ("If-Match", etag)
        );
        var late = await project.Http.CallAsync("PATCH", path, """{"role":"owner"}""", headers: ("If-Match", etag));

        Assert.Equal(2, patched.Expect(HttpStatusCode.OK).Body.GetProperty("revision").GetInt32());
        late.Expect(HttpStatusCode.PreconditionFailed);
        (await client.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.Forbidden);
        (await client.CallAsync("GET", "/v1/events")).Expect(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("""{"name":"other"}""", HttpStatusCode.UnprocessableEntity)]
    [InlineData("""{"role":"owner","scopes":null}""", HttpStatusCode.Forbidden)]
    [InlineData("""{"scopes":null}""", HttpStatusCode.OK)]
    public async Task A_name_stays_and_nobody_grants_what_he_lacks(string patch, HttpStatusCode status)
    {
        var project = await service.NewProjectAsync();
        var made = (
            await project.Http.PostAsync("/v1/api-keys", """{"name":"k","role":"viewer","scopes":["jobs:read"]}""")
        ).Expect(HttpStatusCode.Created);
        var admin = await TestUser.CreateAsync(service, project.Id, "admin");

        (await admin.Http.CallAsync("PATCH", $"/v1/api-keys/{made.Id}", patch, headers: ("If-Match", "*"))).Expect(
            status
        );
    }
}
