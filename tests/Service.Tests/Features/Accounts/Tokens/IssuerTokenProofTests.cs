using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Tokens;

/// <summary>S-10 for the tokens of others: what is wrong is 401 with one body, and no address in a token is followed.</summary>
public sealed class IssuerTokenProofTests(ServiceFixture service)
{
    private static readonly Dictionary<string, Func<ThrowAwayIssuer, string, string>> Corpus = new(
        StringComparer.Ordinal
    )
    {
        ["alg none"] = (issuer, _) => issuer.With(("alg", "none")).With([]),
        ["alg nOnE"] = (issuer, _) => issuer.With(("alg", "nOnE")).With([]),
        ["HS256 by the PEM"] = (issuer, _) =>
            issuer.With(("alg", "HS256")).Signed(Encoding.ASCII.GetBytes(issuer.Rsa.ExportSubjectPublicKeyInfoPem())),
        ["HS256 by the PKCS #1 PEM"] = (issuer, _) =>
            issuer.With(("alg", "HS256")).Signed(Encoding.ASCII.GetBytes(issuer.Rsa.ExportRSAPublicKeyPem())),
        ["HS256 by the DER"] = (issuer, _) =>
            issuer.With(("alg", "HS256")).Signed(issuer.Rsa.ExportSubjectPublicKeyInfo()),
        ["HS256 by the modulus"] = (issuer, _) =>
            issuer.With(("alg", "HS256")).Signed(issuer.Rsa.ExportParameters(false).Modulus!),
        ["HS256 by a symmetric key of the set"] = (issuer, _) =>
            issuer.With(("alg", "HS256"), ("kid", "oct")).Signed(Encoding.ASCII.GetBytes(Secret)),
        ["RS512"] = (issuer, _) => issuer.With(("alg", "RS512")).Signed(issuer.Rsa),
        ["RS256 by another key"] = (issuer, _) =>
        {
            using var key = RSA.Create(2048);
            return issuer.With().Signed(key);
        },
        ["ES256 by the RSA key's id"] = (issuer, _) => issuer.With(("alg", "ES256")).Signed(issuer.Ec),
        ["RS256 by the EC key's id"] = (issuer, _) => issuer.With(("kid", "ec")).Signed(issuer.Rsa),
        ["empty signature"] = (issuer, _) => issuer.With().With([]),
        ["no kid among several"] = (issuer, _) => issuer.With(("kid", null)).Signed(issuer.Rsa),
        ["kid unknown"] = (issuer, _) => issuer.With(("kid", "../../dev/null")).Signed(issuer.Rsa),
        ["kid of ten thousand"] = (issuer, _) => issuer.With(("kid", new string('k', 10_000))).Signed(issuer.Rsa),
        ["jku"] = (issuer, sink) => issuer.With(("jku", sink), ("kid", "mine")).Signed(issuer.Rsa),
        ["x5u"] = (issuer, sink) => issuer.With(("x5u", sink), ("kid", "mine")).Signed(issuer.Rsa),
        ["typ missing"] = (issuer, _) => issuer.With(("typ", null)).Signed(issuer.Rsa),
        ["typ of another kind"] = (issuer, _) => issuer.With(("typ", "logout+jwt")).Signed(issuer.Rsa),
        ["aud of another"] = (issuer, _) => issuer.Token(("aud", "shop")),
        ["aud with a slash"] = (issuer, _) => issuer.Token(("aud", "bellhop/")),
        ["aud missing"] = (issuer, _) => issuer.Token(("aud", null)),
        ["iss of nobody"] = (issuer, sink) => issuer.Token(("iss", sink)),
        ["iss with a slash"] = (issuer, _) => issuer.Token(("iss", $"{issuer.Url}/")),
        ["nbf in the future"] = (issuer, _) => issuer.Token(("nbf", issuer.Now + 60)),
        ["exp past"] = (issuer, _) => issuer.Token(("exp", issuer.Now - 60)),
        ["exp missing"] = (issuer, _) => issuer.Token(("exp", null)),
        ["exp is text"] = (issuer, _) => issuer.Token(("exp", "never")),
        ["exp is beyond all"] = (issuer, _) => issuer.Token(("exp", -1e300)),
        ["sub of another"] = (issuer, _) => issuer.Token(("sub", "shop2")),
        ["sub missing"] = (issuer, _) => issuer.Token(("sub", null)),
        ["sub is a list"] = (issuer, _) => issuer.Token(("sub", new JsonArray("shop"))),
        ["a claim twice"] = (issuer, _) =>
            new HandMadeToken(
                issuer.Header.ToJsonString(),
                $$"""{"sub":"other",{{issuer.Payload.ToJsonString()[1..]}}"""
            ).Signed(issuer.Rsa),
        ["crit"] = (issuer, _) => issuer.With(("crit", new JsonArray("b64"))).Signed(issuer.Rsa),
        ["five parts"] = (issuer, _) => $"{issuer.Token()}.a.b",
    };

    private const string Secret = "a symmetric key has no place in a set that everybody reads";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Names => [.. Corpus.Keys];

    [Fact]
    public async Task A_token_of_an_issuer_may_do_what_the_project_said_and_is_on_record_by_its_subject()
    {
        await using var issuer = await ThrowAwayIssuer.StartAsync();
        var project = await service.NewProjectAsync();
        await TakeAsync(project, issuer, new { role = "developer", scopes = new[] { "connections:write" } });

        using var client = service.NewClient(issuer.Token(("sub", "repo:shop/orders main")));
        using var read = await client.GetAsync("/v1/jobs", Token);
        using var put = await client.PutAsJsonAsync(
            "/v1/connections/crm",
            new { kind = "http", config = new { base_url = "http://127.0.0.1:9" } },
            Token
        );

        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.Created), (read.StatusCode, put.StatusCode));
        Assert.Contains("issuer:ci:repo:shop/orders?main", await ActorsAsync(project));
    }

    [Fact]
    public async Task A_subject_owns_what_it_makes()
    {
        await using var issuer = await ThrowAwayIssuer.StartAsync();
        var project = await service.NewProjectAsync();
        await TakeAsync(project, issuer, new { role = "developer", owner = "self" });
        using var one = service.NewClient(issuer.Token(("sub", "one")));
        using var other = service.NewClient(issuer.Token(("sub", "other")));

        (
            await one.PostAsync(
                "/v1/connections",
                """{"name":"crm","kind":"http","config":{"base_url":"http://127.0.0.1:9"}}"""
            )
        ).Expect(HttpStatusCode.Created);

        (await one.CallAsync("GET", "/v1/connections/crm")).Expect(HttpStatusCode.OK);
        (await other.CallAsync("GET", "/v1/connections/crm")).Expect(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Of_two_subjects_none_is_answered_what_the_other_was()
    {
        await using var issuer = await ThrowAwayIssuer.StartAsync();
        var project = await service.NewProjectAsync();
        await TakeAsync(project, issuer, new { role = "admin" });
        const string Key = """{"name":"shop","role":"viewer"}""";

        using var one = service.NewClient(issuer.Token(("sub", "one")));
        using var other = service.NewClient(issuer.Token(("sub", "other")));
        var made = await one.PostAsync("/v1/api-keys", Key, "same");
        var taken = await other.PostAsync("/v1/api-keys", Key, "same");
        var repeated = await one.PostAsync("/v1/api-keys", Key, "same");

        Assert.Equal("name_taken", taken.Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal((made.Expect(HttpStatusCode.Created).Text, true), (repeated.Text, repeated.IsReplayed));
    }

    [Fact]
    public async Task RSA_with_either_padding_and_EC_are_taken()
    {
        await using var issuer = await ThrowAwayIssuer.StartAsync();
        var project = await service.NewProjectAsync();
        await TakeAsync(project, issuer, new { role = "viewer" });

        string[] tokens =
        [
            issuer.Token(),
            issuer.With(("alg", "PS256")).Signed(issuer.Rsa, isPss: true),
            issuer.With(("alg", "ES256"), ("kid", "ec")).Signed(issuer.Ec),
            issuer.With(("typ", "at+jwt")).Signed(issuer.Rsa),
            issuer.Token(("aud", new JsonArray("shop", "bellhop"))),
        ];

        foreach (var token in tokens)
        {
            Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, token));
        }

        Assert.Equal(1, issuer.Asked);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_token_that_is_not_as_it_should_be_proves_nothing(string name)
    {
        await using var issuer = await ThrowAwayIssuer.StartAsync();
        issuer.Further.Add(
            new JsonObject
            {
                ["kty"] = "oct",
                ["kid"] = "oct",
                ["k"] = HandMadeToken.Encode(Secret),
            }
        );
        await using var sink = await Receiver.StartAsync();
        var project = await service.NewProjectAsync();
        await TakeAsync(project, issuer, new { role = "viewer", subject = "shop" });
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, issuer.Token()));

        Assert.Equal(await AnswerAsync("nonsense"), await AnswerAsync(Corpus[name](issuer, sink.Url)));
        Assert.Empty(sink.Received);
    }

    [Fact]
    public async Task An_issuer_that_is_out_leaves_its_known_keys_and_is_asked_once_a_minute()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using var own = await OwnService.StartAsync(
            service,
            adjust: builder => builder.Services.AddSingleton<TimeProvider>(clock)
        );
        await using var issuer = await ThrowAwayIssuer.StartAsync();
        using var owner = new HttpClient { BaseAddress = own.Address };
        owner.DefaultRequestHeaders.Authorization = new("Bearer", await own.NewKeyAsync());
        await TakeAsync(owner, issuer, new { role = "viewer" });
        var later = issuer.Token(("exp", issuer.Now + 100_000));
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(own.Address, later));

        issuer.IsOut = true;
        var unknown = issuer.With(("kid", "new")).Signed(issuer.Rsa);
        for (var turn = 0; turn < 5; turn++)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(own.Address, unknown));
        }

        var asked = issuer.Received.Count;
        clock.Advance(TimeSpan.FromSeconds(61));
        for (var turn = 0; turn < 5; turn++)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(own.Address, unknown));
            Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(own.Address, later));
        }

        Assert.Equal(asked + 1, issuer.Received.Count);
        clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(own.Address, later));
        clock.Advance(TimeSpan.FromHours(23));
        Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(own.Address, later));
    }

    [Fact]
    public async Task Who_answers_for_another_issuer_lends_it_no_keys()
    {
        await using var issuer = await ThrowAwayIssuer.StartAsync();
        issuer.Claims = "https://issuer.example.com";
        var project = await service.NewProjectAsync();
        await TakeAsync(project, issuer, new { role = "viewer" });

        Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(service.Address, issuer.Token()));
        Assert.Equal(0, issuer.Asked);
    }

    [Fact]
    public async Task A_token_that_several_projects_take_acts_in_the_one_that_is_named()
    {
        await using var issuer = await ThrowAwayIssuer.StartAsync();
        var first = await service.NewProjectAsync();
        var second = await service.NewProjectAsync();
        var third = await service.NewProjectAsync();
        await TakeAsync(first, issuer, new { role = "viewer" });
        await TakeAsync(second, issuer, new { role = "worker" });

        Assert.Equal(HttpStatusCode.BadRequest, await TryAsync(issuer, null));
        Assert.Equal(HttpStatusCode.OK, await TryAsync(issuer, first.Name));
        Assert.Equal(HttpStatusCode.Forbidden, await TryAsync(issuer, $"{second.Id}"));
        Assert.Equal(HttpStatusCode.Unauthorized, await TryAsync(issuer, third.Name));
    }

    [Fact]
    public async Task An_issuer_that_is_deleted_is_believed_no_more()
    {
        await using var issuer = await ThrowAwayIssuer.StartAsync();
        var project = await service.NewProjectAsync();
        await TakeAsync(project, issuer, new { role = "viewer" });
        Assert.Equal(HttpStatusCode.OK, await TestTokens.TryAsync(service.Address, issuer.Token()));

        using var delete = new HttpRequestMessage(HttpMethod.Delete, "/v1/token-issuers/ci");
        delete.Headers.TryAddWithoutValidation("If-Match", "*");
        using var answer = await project.Http.SendAsync(delete, Token);

        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, await TestTokens.TryAsync(service.Address, issuer.Token()));
    }

    private static Task TakeAsync(TestProject project, ThrowAwayIssuer issuer, object more) =>
        TakeAsync(project.Http, issuer, more);

    private static async Task TakeAsync(HttpClient http, ThrowAwayIssuer issuer, object more)
    {
        var document = new JsonObject
        {
            ["name"] = "ci",
            ["issuer"] = issuer.Url,
            ["audience"] = "bellhop",
        };
        foreach (var (name, value) in global::System.Text.Json.JsonSerializer.SerializeToNode(more)!.AsObject())
        {
            document[name] = value?.DeepClone();
        }

        using var answer = await http.PostAsJsonAsync("/v1/token-issuers", document, Token);
        Assert.True(answer.StatusCode == HttpStatusCode.Created, await answer.Content.ReadAsStringAsync(Token));
    }

    private async Task<IEnumerable<string>> ActorsAsync(TestProject project)
    {
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        return await connection.QueryAsync<string>(
            "SELECT DISTINCT actor FROM audit_entries WHERE project_id = @Id".With(new { project.Id }, Token)
        );
    }

    private async Task<HttpStatusCode> TryAsync(ThrowAwayIssuer issuer, string? project)
    {
        using var client = service.NewClient(issuer.Token());
        if (project is not null)
        {
            client.DefaultRequestHeaders.Add(ProjectHeader.Name, project);
        }

        using var answer = await client.GetAsync("/v1/jobs", Token);
        return answer.StatusCode;
    }

    private async Task<(HttpStatusCode Status, string Body)> AnswerAsync(string token)
    {
        using var client = service.NewClient();
        client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        using var answer = await client.GetAsync("/v1/jobs", Token);
        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!.AsObject();
        body.Remove("request_id");
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        return (answer.StatusCode, body.ToJsonString());
    }
}
