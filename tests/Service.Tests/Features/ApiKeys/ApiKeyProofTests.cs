using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Bellhop.Features.ApiKeys;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Features.Accounts;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.ApiKeys;

public sealed class ApiKeyProofTests(ServiceFixture service)
{
    private const string Route = "/v1/events";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_opens_its_own_project()
    {
        var project = await service.NewProjectAsync();

        using var answer = await project.Http.GetAsync(Route, Token);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Without_a_key_the_answer_is_401_and_says_how_to_send_one()
    {
        using var client = service.NewClient();
        using var answer = await client.GetAsync(Route, Token);

        await AssertRefusedAsync(answer, "Bearer realm=\"bellhop\"");
    }

    [Fact]
    public async Task Who_is_turned_away_is_counted_by_the_reason()
    {
        var project = await service.NewProjectAsync("viewer");
        var before = (AuthMetrics.Missing.Value, AuthMetrics.Invalid.Value, AuthMetrics.Forbidden.Value);
        using var nobody = service.NewClient();
        using var stranger = service.NewClient(ApiKey.Create(Guid.CreateVersion7()).Text);

        using var missing = await nobody.GetAsync(Route, Token);
        using var invalid = await stranger.GetAsync(Route, Token);
        using var forbidden = await project.Http.PostAsync(Route, new StringContent("{}"), Token);

        // other tests are turned away as well
        Assert.True(AuthMetrics.Missing.Value > before.Item1);
        Assert.True(AuthMetrics.Invalid.Value > before.Item2);
        Assert.True(AuthMetrics.Forbidden.Value > before.Item3);
    }

    [Theory]
    [InlineData("Bearer nonsense")]
    [InlineData("Basic YTpi")]
    [InlineData("Bearer")]
    [InlineData("bh_without_scheme")]
    public async Task Anything_but_a_key_as_bearer_is_401(string header)
    {
        using var client = service.NewClient();
        client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", header);
        using var answer = await client.GetAsync(Route, Token);

        await AssertRefusedAsync(answer, "Bearer realm=\"bellhop\", error=\"invalid_token\"");
    }

    [Fact]
    public async Task A_well_formed_key_that_nobody_made_is_401()
    {
        using var client = service.NewClient(ApiKey.Create(Guid.CreateVersion7()).Text);
        using var answer = await client.GetAsync(Route, Token);

        await AssertRefusedAsync(answer, "Bearer realm=\"bellhop\", error=\"invalid_token\"");
    }

    [Fact]
    public async Task The_right_id_with_another_secret_is_401()
    {
        var project = await service.NewProjectAsync();
        using var client = service.NewClient(ApiKey.Create(ApiKey.Parse(project.Key)!.RowId).Text);
        using var answer = await client.GetAsync(Route, Token);

        await AssertRefusedAsync(answer, "Bearer realm=\"bellhop\", error=\"invalid_token\"");
    }

    [Fact]
    public async Task Whoever_guesses_at_a_key_has_it_looked_up_a_few_times_only()
    {
        var project = await service.NewProjectAsync();
        (await project.Http.CallAsync("GET", Route)).Expect(HttpStatusCode.OK);
        using var guesser = service.NewClient(ApiKey.Create(ApiKey.Parse(project.Key)!.RowId).Text);
        using var count = new StatementCount();

        var lookUps = 0;
        for (var guess = 0; guess < 50; guess++)
        {
            lookUps += (await count.OfAsync(() => guesser.GetAsync(Route, Token))).Count(sql =>
                sql.Contains("FROM api_keys", StringComparison.Ordinal)
            );
        }

        Assert.InRange(lookUps, 1, 15); // six in four seconds
        (await project.Http.CallAsync("GET", Route)).Expect(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_key_in_the_query_is_not_looked_at_and_not_repeated()
    {
        var project = await service.NewProjectAsync();
        using var client = service.NewClient();
        using var answer = await client.GetAsync($"{Route}?access_token={project.Key}", Token);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.DoesNotContain(project.Key, await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revoked_key_is_refused_within_five_seconds()
    {
        var project = await service.NewProjectAsync();
        using (var before = await project.Http.GetAsync(Route, Token))
        {
            Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        }

        await SetAsync(project, "revoked_at = now()");

        await Eventually.BeTrueAsync(
            async () =>
            {
                using var answer = await project.Http.GetAsync(Route, Token);
                return answer.StatusCode == HttpStatusCode.Unauthorized;
            },
            "the key is refused",
            TimeSpan.FromSeconds(5)
        );
    }

    [Fact]
    public async Task An_expired_key_is_401()
    {
        var project = await service.NewProjectAsync();
        await SetAsync(project, "expires_at = now() - interval '1 second'");

        using var answer = await project.Http.GetAsync(Route, Token);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Fact]
    public async Task A_key_whose_role_or_scopes_lack_the_permission_is_403_and_the_answer_names_it()
    {
        var project = await service.NewProjectAsync("worker");
        using var byRole = await project.Http.GetAsync(Route, Token);
        await project.UseKeyAsync("owner", "jobs:read");
        using var byScope = await project.Http.GetAsync(Route, Token);

        foreach (var answer in new[] { byRole, byScope })
        {
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
            var problem = await ReadAsync(answer);
            Assert.Equal("forbidden", problem.GetProperty("code").GetString());
            Assert.Contains("events:read", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_use_of_a_key_is_noted()
    {
        var project = await service.NewProjectAsync();
        using var answer = await project.Http.GetAsync(Route, Token);

        await Eventually.BeTrueAsync(
            async () =>
            {
                await using var connection = await service.Database.OpenConnectionAsync(Token);
                return await connection.QuerySingleAsync<bool>(
                    "SELECT bool_and(last_used_at IS NOT NULL) FROM api_keys WHERE project_id = @Id".With(
                        new { project.Id },
                        Token
                    )
                );
            },
            "last_used_at is written"
        );
    }

    private async Task SetAsync(TestProject project, string assignment)
    {
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            $"UPDATE api_keys SET {assignment} WHERE project_id = @Id".With(new { project.Id }, Token)
        );
    }

    private static async Task AssertRefusedAsync(HttpResponseMessage answer, string demand)
    {
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Equal(AuthenticationHeaderValue.Parse(demand), answer.Headers.WwwAuthenticate.Single());
        Assert.Equal("unauthenticated", (await ReadAsync(answer)).GetProperty("code").GetString());
    }

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage answer)
    {
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        using var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Token));
        return document.RootElement.Clone();
    }
}
