using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Accounts;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Contract;
using Bellhop.Tests.Features.Accounts;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Architecture;

/// <summary>Secrets that are sent anywhere are said nowhere: no log, span, metric, answer or table repeats one.</summary>
public sealed class CanaryTests(ServiceFixture service)
{
    private const string Form = """{"secret":"§","password":"§","value":"§","token":["§"],"config":{"api_key":"§"}}""";

    private readonly ConcurrentDictionary<string, string> _canaries = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<string> _answers = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_secret_is_repeated_nowhere()
    {
        using var witness = new Witness();
        await using var own = await OwnService.StartAsync(service, adjust: witness.Add);
        await using var echo = await Receiver.StartAsync(
            (got, before) => Task.FromResult(Results.Text(Everything(got), statusCode: before % 2 == 0 ? 200 : 400))
        );
        using var client = new HttpClient { BaseAddress = own.Address };
        var key = await own.NewKeyAsync();
        _canaries["real key"] = key;

        await TryEveryRouteAsync(client, key);
        await UseAsync(client, key, echo);
        await SignInAsync(own);

        Assert.NotEmpty(echo.Received);
        Assert.All(
            echo.Received,
            got =>
                Assert.Contains(_canaries.Values, canary => Everything(got).Contains(canary, StringComparison.Ordinal))
        );
        await AssertAbsentAsync(own, witness);
    }

    /// <summary>As a key, a cookie, a parameter and a member, sound and not, to everything there is.</summary>
    private async Task TryEveryRouteAsync(HttpClient client, string key)
    {
        var document = await ApiDocument.ReadAsync(service);
        foreach (var operation in document.Operations)
        {
            var path = operation.Path.Replace("{id}", $"{Story.Event}").Replace("{name}", "canary");
            await SendAsync(client, operation.Method, path, $"Bearer {Canary("a key")}");
            await SendAsync(client, operation.Method, path, $"Bearer eyJhbGciOiJFUzI1NiJ9.{Canary("a jwt")}.c2ln");
            await SendAsync(client, operation.Method, path, $"Basic {Canary("a password")}");
            await SendAsync(client, operation.Method, $"{path}?access_token={Canary("a parameter")}", $"Bearer {key}");
            if (operation.Bodies.Any())
            {
                var form = Form.Replace("§", Canary("a member"));
                await SendAsync(client, operation.Method, path, $"Bearer {key}", form);
                await SendAsync(client, operation.Method, path, $"Bearer {key}", form[..^1]);
                await SendAsync(client, operation.Method, path, $"Bearer {key}", $"[{form}, \u0001");
            }
        }

        await SendAsync(client, "POST", $"/in/{Canary("an inbound token")}", null, "{}");
    }

    /// <summary>Secrets that are kept, used and refused.</summary>
    private async Task UseAsync(HttpClient client, string key, Receiver echo)
    {
        var bearer = $"Bearer {key}";
        await SendAsync(
            client,
            "PUT",
            "/v1/secrets/crm",
            bearer,
            $$"""{"value":"{{Canary("a named secret")}}"}""",
            201
        );
        await SendAsync(
            client,
            "POST",
            "/v1/sources",
            bearer,
            $$"""{"name":"hub","scheme":"github","secret":"{{Canary("a source's secret")}}"}""",
            201
        );
        var connections = new Dictionary<string, string>
        {
            ["basic"] = """{"type":"basic","user":"shop"}""",
            ["bearer"] = """{"type":"bearer"}""",
            ["header"] = """{"type":"header","name":"X-Api-Key"}""",
        };
        foreach (var (name, auth) in connections)
        {
            var body =
                $$"""{"name":"{{name}}","kind":"http","config":{"base_url":"{{echo.Url}}","auth":{{auth}}},"secret":{"value":"{{Canary(name)}}"} }""";
            await SendAsync(client, "POST", "/v1/connections", bearer, body, 201);
        }

        await SendAsync(
            client,
            "POST",
            "/v1/connections",
            bearer,
            $$"""{"name":"db","kind":"postgresql","config":{"host":"127.0.0.1","port":1,"database":"d","user":"u","tls":"off"},"secret":{"value":"{{Canary("a database's password")}}"} }""",
            201
        );
        await SendAsync(client, "POST", "/v1/connections/db/check", bearer);
        await RunAsync(client, bearer, echo, connections.Keys);
        foreach (var noun in (string[])["secrets", "sources", "connections", "automations", "runs", "jobs"])
        {
            await SendAsync(client, "GET", $"/v1/{noun}", bearer, expect: 200);
        }
    }

    /// <summary>What users have: a one-time token, passwords right and wrong, a session.</summary>
    private async Task SignInAsync(OwnService own)
    {
        const string Email = "canary@example.com";
        var token = (await own.SendAsync(new CreateOwner.Command(Email))).Token;
        _canaries["a one-time token"] = token;
        var password = Canary("a user's password");
        using var browser = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = own.Address };
        await SendAsync(
            browser,
            "POST",
            "/v1/auth/redeem",
            null,
            $$"""{"token":"{{token}}","password":"{{password}}"}""",
            204
        );
        var wrong = $$"""{"email":"{{Email}}","password":"{{Canary("a wrong password")}}"}""";
        await SendAsync(browser, "POST", "/v1/auth/login", null, wrong, 401);
        // the one answer that a session's secret stands in
        using var right = new StringContent(
            $$"""{"email":"{{Email}}","password":"{{password}}"}""",
            null,
            "application/json"
        );
        using var signedIn = await browser.PostAsync("/v1/auth/login", right, Token);
        var cookie = signedIn.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        _canaries["a session"] = cookie.Split('=')[1];
        foreach (
            var (method, path) in new[] { ("GET", "/v1/auth/me"), ("GET", "/v1/jobs"), ("POST", "/v1/auth/logout") }
        )
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            request.Headers.TryAddWithoutValidation("Cookie", cookie);
            using var answer = await browser.SendAsync(request, Token);
            if (path != "/v1/auth/me") // which hands out the session's token against forgery
            {
                _answers.Add($"{method} {path} {answer.Headers} {await answer.Content.ReadAsStringAsync(Token)}");
            }

            Assert.Equal(method == "GET" ? HttpStatusCode.OK : HttpStatusCode.Forbidden, answer.StatusCode);
        }

        using var page = await OpenPageAsync(own, cookie);
        await AddFactorAsync(page, Email, password);
    }

    /// <summary>The browser as a page of ours. What hands a secret out is not among the answers that are looked through.</summary>
    private async Task<HttpClient> OpenPageAsync(OwnService own, string cookie)
    {
        var page = new HttpClient(new SocketsHttpHandler { UseCookies = false }) { BaseAddress = own.Address };
        page.DefaultRequestHeaders.Add("Cookie", cookie);
        page.DefaultRequestHeaders.Add("Sec-Fetch-Site", "same-origin");
        page.DefaultRequestHeaders.Add("Origin", own.Address.GetLeftPart(UriPartial.Authority));
        var me = (await page.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.OK);
        _canaries["a session's token against forgery"] = me.Body.GetProperty("csrf_token").GetString()!;
        foreach (var grant in new[] { "owner", "viewer" })
        {
            var invitation = new InvitationDocument($"{grant}@example.com", grant);
            _canaries[$"an invitation of a {grant}"] = (
                await own.SendAsync(new InviteUser.Command(invitation, Prints: true))
            ).Token!;
        }

        _canaries["a reset"] = (await own.SendAsync(new ResetPassword.Command("canary@example.com"))).Token;
        return page;
    }

    /// <summary>A second factor, tokens by it, and keys by those.</summary>
    private async Task AddFactorAsync(HttpClient page, string email, string password)
    {
        var started = await page.PostAsync("/v1/auth/totp", $$"""{"password":"{{password}}"}""");
        var secret = started.Expect(HttpStatusCode.OK).Body.GetProperty("secret").GetString()!;
        _canaries["the secret of a second factor"] = secret;
        var code = Totp.CodeAt(TestTotp.Decode(secret), Totp.StepAt(DateTimeOffset.UtcNow));
        var confirmed = await page.PostAsync("/v1/auth/totp/confirm", $$"""{"code":"{{code}}"}""");
        var recovery = confirmed
            .Expect(HttpStatusCode.OK)
            .Body.GetProperty("recovery_codes")
            .EnumerateArray()
            .Select(one => one.GetString()!)
            .ToArray();
        for (var number = 0; number < recovery.Length; number++)
        {
            _canaries[$"recovery code {number}"] = recovery[number];
        }

        var login =
            $$"""{"grant_type":"password","email":"{{email}}","password":"{{password}}","totp":"{{recovery[0]}}"}""";
        var (access, refresh) = await TakeAsync(page, login, "first");
        var (_, second) = await TakeAsync(page, Refresh(refresh), "second");
        using var program = new HttpClient { BaseAddress = page.BaseAddress };
        program.DefaultRequestHeaders.Authorization = new("Bearer", access);
        var key = await program.PostAsync("/v1/api-keys", """{"name":"by-canary","role":"viewer"}""");
        _canaries["a key by a program"] = key.Expect(HttpStatusCode.Created).Body.GetProperty("key").GetString()!;
        var rotated = await program.PostAsync("/v1/api-keys/by-canary/rotate", """{"overlap_seconds":60}""");
        _canaries["a rotated key"] = rotated.Expect(HttpStatusCode.OK).Body.GetProperty("key").GetString()!;
        // used, and refused
        foreach (var bearer in new[] { access, second, _canaries["a key by a program"], _canaries["a rotated key"] })
        {
            await SendAsync(page, "GET", "/v1/jobs", $"Bearer {bearer}");
            await SendAsync(page, "POST", "/v1/auth/token", null, Refresh(bearer));
        }

        await SendAsync(page, "POST", "/v1/auth/token", null, login, 401); // a recovery code counts once
        await SendAsync(
            page,
            "POST",
            "/v1/auth/redeem",
            null,
            $$"""{"token":"{{_canaries["a reset"]}}","password":"x"}"""
        );
        var change =
            $$"""{"current_password":"{{password}}","new_password":"{{Canary("a new password")}}","end_other_sessions":false}""";
        (await page.PostAsync("/v1/auth/password", change)).Expect(HttpStatusCode.NoContent);
        await SendAsync(page, "POST", "/v1/auth/revoke", null, $$"""{"token":"{{second}}"}""");
    }

    private static string Refresh(string token) => $$"""{"grant_type":"refresh_token","refresh_token":"{{token}}"}""";

    private async Task<(string Access, string Refresh)> TakeAsync(HttpClient client, string grant, string name)
    {
        var taken = (await client.PostAsync("/v1/auth/token", grant)).Expect(HttpStatusCode.OK).Body;
        var (access, refresh) = (taken.GetProperty("access_token"), taken.GetProperty("refresh_token"));
        _canaries[$"the {name} access token"] = access.GetString()!;
        _canaries[$"the {name} refresh token"] = refresh.GetString()!;
        return (access.GetString()!, refresh.GetString()!);
    }

    /// <summary>Every step that may carry a secret, answered and refused, by receivers that repeat all they got.</summary>
    private async Task RunAsync(HttpClient client, string bearer, Receiver echo, IEnumerable<string> connections)
    {
        var sends = connections
            .Select(name => $$"""{"connection":"{{name}}","method":"POST","path":"/x","body":"${secrets.crm}"}""")
            .Append(
                $$$"""{"url":"{{{echo.Url}}}","method":"PUT","headers":{"x-key":"${secrets.crm}"},"body":{"deep":["${secrets.crm}"]} }"""
            );
        // twice: one is answered, the next refused
        var steps = sends
            .SelectMany(with => new[] { with, with })
            .Select((with, index) => $$"""{"id":"s{{index}}","uses":"http","with":{{with}},"on_error":"continue"}""");
        await SendAsync(
            client,
            "POST",
            "/v1/automations",
            bearer,
            $$"""{"name":"leaky","on":{"type":["go"]},"steps":[{{string.Join(',', steps)}}]}""",
            201
        );
        await SendAsync(client, "POST", "/v1/events", bearer, """{"type":"go","source":"canary"}""", 202);
        var run = await Eventually.FitAsync(
            async () =>
                JsonElement
                    .Parse(await SendAsync(client, "GET", "/v1/runs", bearer, expect: 200))
                    .GetProperty("items")
                    .EnumerateArray()
                    .FirstOrDefault(),
            run => run.ValueKind == JsonValueKind.Object && run.GetProperty("state").GetString() == "partial"
        );
        await SendAsync(client, "GET", $"/v1/runs/{run.GetProperty("id").GetGuid()}", bearer, expect: 200);
    }

    private async Task AssertAbsentAsync(OwnService own, Witness witness)
    {
        using var inside = new HttpClient { BaseAddress = own.Services.GetRequiredService<Listeners>().Internal };
        var metrics = await inside.GetStringAsync("/metrics", Token);
        await using var connection = await own.Database.OpenConnectionAsync(Token);
        var tables = await connection.QueryAsync<string>(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'bellhop'::regnamespace".With(
                null,
                Token
            )
        );
        var rows = new List<string>();
        foreach (var table in tables)
        {
            rows.AddRange(
                await connection.QueryAsync<string>($"SELECT '{table} ' || t::text FROM {table} t".With(null, Token))
            );
        }

        Assert.Contains(rows, row => row.StartsWith("run_steps ", StringComparison.Ordinal));
        Assert.Contains(witness.Heard, line => line.StartsWith("log ", StringComparison.Ordinal));
        Assert.Contains(witness.Heard, line => line.StartsWith("span ", StringComparison.Ordinal));
        var said = _answers.Concat(witness.Heard).Concat(rows).Append(metrics);
        var leaks = said.SelectMany(text =>
            _canaries
                .Where(canary => Forms(canary.Value).Any(form => text.Contains(form, StringComparison.Ordinal)))
                .Select(canary => $"{canary.Key} in {text}")
        );
        Assert.True(!leaks.Any(), string.Join('\n', leaks));
    }

    // as it is, and as the password of a Basic login
    private static IEnumerable<string> Forms(string canary) =>
        [canary, Convert.ToBase64String(Encoding.UTF8.GetBytes($"shop:{canary}"))];

    private static string Everything(ReceivedRequest got) =>
        $"{got.Path}{got.Query} {string.Join(' ', got.Headers)} {got.Body}";

    private string Canary(string name) => _canaries.GetOrAdd(name, _ => $"kanarie-{Guid.NewGuid():N}");

    private async Task<string> SendAsync(
        HttpClient client,
        string method,
        string path,
        string? authorization,
        string? body = null,
        int? expect = null
    )
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.TryAddWithoutValidation("Authorization", authorization);
        request.Headers.TryAddWithoutValidation("Cookie", $"session={Canary("a cookie")}");
        request.Headers.TryAddWithoutValidation("X-Api-Key", Canary("a header"));
        request.Content = body is null ? null : new StringContent(body, null, "application/json");
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        var text =
            answer.Content.Headers.ContentType?.MediaType == EventStream.ContentType
                ? ""
                : await answer.Content.ReadAsStringAsync(Token);
        Assert.True(
            expect is null || expect == (int)answer.StatusCode,
            $"{method} {path}: {(int)answer.StatusCode} {text}"
        );
        Assert.NotEqual(HttpStatusCode.InternalServerError, answer.StatusCode);
        if (!path.StartsWith("/in/", StringComparison.Ordinal)) // whose answer tells the sender what it sent
        {
            _answers.Add($"{method} {path.Split('?')[0]} {answer.Headers} {text}");
        }

        return text;
    }
}
