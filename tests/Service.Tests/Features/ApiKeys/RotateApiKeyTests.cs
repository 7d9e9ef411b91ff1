using System.Net;
using Bellhop.Features.ApiKeys;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.ApiKeys;

public sealed class RotateApiKeyTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Both_keys_are_taken_while_they_overlap_and_the_old_one_no_longer()
    {
        var project = await service.NewProjectAsync();
        var (id, old) = await MakeAsync(project);

        var rotated = await project.Http.PostAsync($"/v1/api-keys/{id}/rotate", """{"overlap_seconds":3600}""");
        var fresh = rotated.Expect(HttpStatusCode.OK).Body.GetProperty("key").GetString()!;
        var shown = (await project.Http.CallAsync("GET", $"/v1/api-keys/{id}")).Expect(HttpStatusCode.OK).Body;
        var before = (await TryAsync(service.Address, old), await TryAsync(service.Address, fresh));
        (await project.Http.PostAsync($"/v1/api-keys/{id}/rotate", """{"overlap_seconds":0}""")).Expect(
            HttpStatusCode.OK
        );

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), before);
        Assert.Equal(
            rotated.Body.GetProperty("old_expires_at").GetDateTime(),
            shown.GetProperty("old_expires_at").GetDateTime()
        );
        Assert.Equal(HttpStatusCode.Unauthorized, await TryAsync(service.Address, old));
        Assert.Equal(HttpStatusCode.Unauthorized, await TryAsync(service.Address, fresh));
    }

    [Fact]
    public async Task A_token_for_the_new_secret_is_taken_at_once_by_a_replica_that_knew_the_old_one()
    {
        await using var first = await OwnService.StartAsync(service);
        await using var second = await OwnService.StartAsync(service, beside: first);
        var old = await first.NewKeyAsync("viewer");
        Assert.Equal(HttpStatusCode.OK, await TryAsync(second.Address, old));
        var renewed = ApiKey.Create(ApiKey.Parse(old)!.RowId);
        await using (var connection = await first.Database.OpenConnectionAsync(Token))
        {
            // so that nobody is told
            await connection.ExecuteAsync(
                "UPDATE api_keys SET secret_sha256 = @Sha256 WHERE id = @RowId".With(
                    new { renewed.Sha256, renewed.RowId },
                    Token
                )
            );
        }

        using var http = new HttpClient { BaseAddress = first.Address };
        var granted = await http.PostAsync(
            "/v1/auth/token",
            $$"""{"grant_type":"api_key","api_key":"{{renewed.Text}}"}"""
        );

        var token = granted.Expect(HttpStatusCode.OK).Body.GetProperty("access_token").GetString()!;
        Assert.Equal(HttpStatusCode.OK, await TryAsync(second.Address, token));
    }

    [Fact]
    public async Task Rotated_under_load_no_call_fails_on_either_replica()
    {
        await using var first = await OwnService.StartAsync(service);
        await using var second = await OwnService.StartAsync(service, beside: first);
        var owner = await TestUser.CreateAsync(first.Database, first.Address, first.ProjectId);
        var made = (await owner.Http.PostAsync("/v1/api-keys", """{"name":"busy","role":"viewer"}""")).Expect(
            HttpStatusCode.Created
        );
        var key = made.Body.GetProperty("key").GetString()!;
        var (calls, failed) = (0, 0);
        using var over = new CancellationTokenSource();
        var load = Enumerable
            .Range(0, 6)
            .Select(async number =>
            {
                var at = number % 2 == 0 ? first.Address : second.Address;
                while (!over.IsCancellationRequested)
                {
                    var status = await TryAsync(at, Volatile.Read(ref key));
                    Interlocked.Increment(ref calls);
                    Interlocked.Add(ref failed, status == HttpStatusCode.OK ? 0 : 1);
                }
            })
            .ToArray();

        for (var round = 0; round < 10; round++)
        {
            var rotated = await owner.Http.PostAsync($"/v1/api-keys/{made.Id}/rotate", """{"overlap_seconds":60}""");
            Volatile.Write(ref key, rotated.Expect(HttpStatusCode.OK).Body.GetProperty("key").GetString()!);
            var seen = Volatile.Read(ref calls);
            await Eventually.BeTrueAsync(
                () => Task.FromResult(Volatile.Read(ref calls) > seen + 20),
                "twenty calls more"
            );
        }

        await over.CancelAsync();
        await Task.WhenAll(load);
        Assert.Equal(0, failed);
    }

    [Fact]
    public async Task Nobody_rotates_a_key_that_can_do_more_than_he()
    {
        var project = await service.NewProjectAsync();
        var made = (await project.Http.PostAsync("/v1/api-keys", """{"name":"big","role":"owner"}""")).Expect(
            HttpStatusCode.Created
        );
        var admin = await TestUser.CreateAsync(service, project.Id, "admin");

        (await admin.Http.PostAsync($"/v1/api-keys/{made.Id}/rotate", "{}")).Expect(HttpStatusCode.Forbidden);
        (await admin.Http.PostAsync($"/v1/api-keys/{made.Id}/revoke", "")).Expect(HttpStatusCode.Forbidden);
        Assert.Equal(HttpStatusCode.OK, await TryAsync(service.Address, made.Body.GetProperty("key").GetString()!));
    }

    [Theory]
    [InlineData("""{"overlap_seconds":-1}""")]
    [InlineData("""{"overlap_seconds":604801}""")]
    public async Task An_overlap_is_a_week_at_most(string body)
    {
        var project = await service.NewProjectAsync();
        var (id, _) = await MakeAsync(project);

        (await project.Http.PostAsync($"/v1/api-keys/{id}/rotate", body)).Expect(HttpStatusCode.UnprocessableEntity);
    }

    [Fact]
    public async Task The_command_prints_the_new_key()
    {
        var project = await service.NewProjectAsync();
        await MakeAsync(project);

        var run = await CliProcess.RunAsync(
            CliProcess.On(service),
            ["api-keys", "rotate", "busy", "--project", project.Name, "--overlap-seconds", "0"]
        );

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.Equal(HttpStatusCode.OK, await TryAsync(service.Address, run.Output.Trim()));
    }

    private static async Task<(Guid Id, string Key)> MakeAsync(TestProject project)
    {
        var made = (await project.Http.PostAsync("/v1/api-keys", """{"name":"busy","role":"viewer"}""")).Expect(
            HttpStatusCode.Created
        );
        return (made.Id, made.Body.GetProperty("key").GetString()!);
    }

    private static async Task<HttpStatusCode> TryAsync(Uri address, string key)
    {
        using var client = new HttpClient { BaseAddress = address };
        client.DefaultRequestHeaders.Add("Authorization", $"Bearer {key}");
        return (await client.CallAsync("GET", "/v1/jobs?limit=1")).Status;
    }
}
