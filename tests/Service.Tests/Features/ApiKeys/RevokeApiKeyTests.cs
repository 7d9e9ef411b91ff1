using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.ApiKeys;

public sealed class RevokeApiKeyTests(ServiceFixture service)
{
    [Fact]
    public async Task A_revoked_key_is_dead_at_once_and_within_five_seconds_on_another_replica()
    {
        await using var first = await OwnService.StartAsync(service);
        await using var second = await OwnService.StartAsync(service, beside: first);
        var owner = await TestUser.CreateAsync(first.Database, first.Address, first.ProjectId);
        var made = (await owner.Http.PostAsync("/v1/api-keys", """{"name":"k","role":"viewer"}""")).Expect(
            HttpStatusCode.Created
        );
        using var here = Client(first.Address, made);
        using var there = Client(second.Address, made);
        (await here.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);
        (await there.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);

        (await owner.Http.PostAsync($"/v1/api-keys/{made.Id}/revoke", "")).Expect(HttpStatusCode.NoContent);

        (await here.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.Unauthorized);
        await Eventually.BeTrueAsync(
            async () => (await there.CallAsync("GET", "/v1/jobs")).Status == HttpStatusCode.Unauthorized,
            "the other replica refuses it",
            TimeSpan.FromSeconds(5)
        );
    }

    [Fact]
    public async Task It_stays_on_record_and_is_changed_no_more()
    {
        var project = await service.NewProjectAsync();
        var made = (await project.Http.PostAsync("/v1/api-keys", """{"name":"k","role":"viewer"}""")).Expect(
            HttpStatusCode.Created
        );
        var path = $"/v1/api-keys/{made.Id}";

        (await project.Http.PostAsync("/v1/api-keys/k/revoke", "")).Expect(HttpStatusCode.NoContent);
        (await project.Http.PostAsync($"{path}/revoke", "")).Expect(HttpStatusCode.NoContent);
        var shown = (await project.Http.CallAsync("GET", path)).Expect(HttpStatusCode.OK).Body;
        var patched = await project.Http.CallAsync("PATCH", path, """{"role":"owner"}""", headers: ("If-Match", "*"));

        Assert.Equal("revoked", shown.GetProperty("state").GetString());
        Assert.Equal("key_revoked", patched.Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal(
            "key_revoked",
            (await project.Http.PostAsync($"{path}/rotate", "{}")).Expect(HttpStatusCode.Conflict).Code
        );
        (await project.Http.CallAsync("GET", "/v1/api-keys/k")).Expect(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task The_command_revokes_and_says_when_there_is_none()
    {
        var project = await service.NewProjectAsync();
        (await project.Http.PostAsync("/v1/api-keys", """{"name":"k","role":"viewer"}""")).Expect(
            HttpStatusCode.Created
        );
        string[] words = ["api-keys", "revoke", "k", "--project", project.Name];

        Assert.Equal(0, (await CliProcess.RunAsync(CliProcess.On(service), words)).ExitCode);
        Assert.Equal(3, (await CliProcess.RunAsync(CliProcess.On(service), words)).ExitCode);
    }

    private static HttpClient Client(Uri address, Answer made)
    {
        var client = new HttpClient { BaseAddress = address };
        client.DefaultRequestHeaders.Add("Authorization", $"Bearer {made.Body.GetProperty("key").GetString()}");
        return client;
    }
}
