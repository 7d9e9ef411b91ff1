using System.Net;
using Bellhop.Tests.Support;
using Npgsql;
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

    [Fact]
    public async Task An_expiry_that_is_taken_away_is_a_year_from_now()
    {
        var project = await service.NewProjectAsync();
        var made = (await project.Http.PostAsync("/v1/api-keys", """{"name":"k","role":"viewer"}""")).Expect(
            HttpStatusCode.Created
        );

        var patched = await project.Http.CallAsync(
            "PATCH",
            $"/v1/api-keys/{made.Id}",
            """{"expires_at":null}""",
            headers: ("If-Match", "*")
        );

        var expiresAt = patched.Expect(HttpStatusCode.OK).Body.GetProperty("expires_at").GetDateTime();
        Assert.InRange((expiresAt - DateTime.UtcNow).TotalDays, 364, 367);
    }

    [Fact]
    public async Task A_key_that_has_expired_is_narrowed_and_stays_expired()
    {
        var project = await service.NewProjectAsync();
        var made = (await project.Http.PostAsync("/v1/api-keys", """{"name":"k","role":"viewer"}""")).Expect(
            HttpStatusCode.Created
        );
        await using var database = await service.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var expire = new NpgsqlCommand(
            "UPDATE api_keys SET expires_at = date_trunc('second', now()) - interval '59.123456 seconds' WHERE id = @Id",
            database
        )
        {
            Parameters = { new("Id", made.Id) },
        };
        await expire.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        var patched = await project.Http.CallAsync(
            "PATCH",
            $"/v1/api-keys/{made.Id}",
            """{"scopes":["jobs:read"]}""",
            headers: ("If-Match", "*")
        );

        Assert.Equal("expired", patched.Expect(HttpStatusCode.OK).Body.GetProperty("state").GetString());
    }
}
