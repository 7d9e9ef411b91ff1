using System.Net;
using System.Text;
using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class SignInTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_cookie_is_for_this_host_over_TLS_and_no_script_and_proves_the_user()
    {
        var project = await service.NewProjectAsync();
        var account = await TestAccount.CreateAsync(service, project.Id);

        using var answer = await account.SignInAsync();

        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        var cookie = Assert.Single(answer.Headers.GetValues("Set-Cookie"));
        Assert.Matches("^__Host-bellhop=[0-9A-Za-z]{43}; path=/; secure; samesite=lax; httponly$", cookie);
        Assert.Equal("no-store", answer.Headers.CacheControl?.ToString());
        var secret = TestAccount.CookieOf(answer);
        using var client = account.SignedIn(secret);
        (await client.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);
        Assert.Equal(
            0,
            await account.AskAsync<long>($"SELECT count(*) FROM sessions s WHERE s::text LIKE '%{secret}%'")
        );
        Assert.Equal(
            "users.sign_in",
            await account.AskAsync<string>("SELECT action FROM audit_entries WHERE target_id = @Id")
        );
    }

    [Fact]
    public async Task The_case_of_an_address_makes_no_difference_and_that_of_a_password_does()
    {
        var account = await TestAccount.CreateAsync(service);

        using var upper = await account.SignInAsync(email: account.Email.ToUpperInvariant());
        using var other = await account.SignInAsync(TestAccount.Password.ToUpperInvariant());

        Assert.Equal(HttpStatusCode.NoContent, upper.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, other.StatusCode);
    }

    [Theory]
    [InlineData('\u212A')] // the Kelvin sign, whose lower case is k
    [InlineData('\uFF2B')] // a full-width K
    public async Task A_letter_that_only_looks_like_one_of_the_address_is_another_one(char letter)
    {
        var account = await TestAccount.CreateAsync(service);
        var address = $"k{account.Email}";
        await account.ExecuteAsync($"UPDATE users SET email = '{address}', email_key = '{address}' WHERE id = @Id");

        using var own = await account.SignInAsync(email: $"K{account.Email}");
        using var other = await account.SignInAsync(email: $"{letter}{account.Email}");

        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.Unauthorized), (own.StatusCode, other.StatusCode));
    }

    [Theory]
    [InlineData("/v1/auth/login", """{"email":"EMAIL","password":"PASSWORD"}""")]
    [InlineData("/v1/auth/token", """{"grant_type":"password","email":"EMAIL","password":"PASSWORD"}""")]
    public async Task Of_what_a_browser_says_it_is_300_characters_are_kept_and_no_half_of_one(string path, string body)
    {
        var account = await TestAccount.CreateAsync(service);
        var document = body.Replace("EMAIL", account.Email, StringComparison.Ordinal)
            .Replace("PASSWORD", TestAccount.Password, StringComparison.Ordinal);
        using var handler = new SocketsHttpHandler { RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 };
        using var client = new HttpClient(handler) { BaseAddress = service.Address };
        var most = new string('a', 299);
        client.DefaultRequestHeaders.TryAddWithoutValidation("User-Agent", $"{most}\U0001F600");

        var answer = await client.PostAsync(path, document);

        Assert.True(answer.Status < HttpStatusCode.BadRequest, answer.Text);
        Assert.Equal(
            most,
            await account.AskAsync<string>(
                """
                SELECT user_agent FROM sessions WHERE user_id = @Id
                UNION ALL
                SELECT user_agent FROM token_families WHERE user_id = @Id
                """
            )
        );
    }

    [Fact]
    public async Task A_planted_cookie_is_never_taken_over_and_the_session_before_ends()
    {
        var account = await TestAccount.CreateAsync(service);
        const string Planted = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

        using var first = await account.SignInAsync(headers: ("Cookie", $"__Host-bellhop={Planted}"));
        var mine = TestAccount.CookieOf(first);
        using var second = await account.SignInAsync(headers: ("Cookie", $"__Host-bellhop={mine}"));

        Assert.NotEqual(Planted, mine);
        Assert.NotEqual(mine, TestAccount.CookieOf(second));
        foreach (var dead in new[] { Planted, mine })
        {
            using var client = account.SignedIn(dead);
            (await client.CallAsync("GET", "/v1/auth/me")).Expect(HttpStatusCode.Unauthorized);
        }
    }

    [Fact]
    public async Task Nobody_learns_whether_there_is_an_account()
    {
        var account = await TestAccount.CreateAsync(service);
        var disabled = await TestAccount.CreateAsync(service);
        await disabled.SetAsync("disabled_at = now()");
        var empty = await TestAccount.CreateAsync(service);
        await empty.SetAsync("password_hash = NULL");

        var seen = new List<string>();
        foreach (
            var (email, password) in new[]
            {
                ("nobody-" + account.Email, TestAccount.Password),
                (account.Email, "another password"),
                (disabled.Email, TestAccount.Password),
                (empty.Email, TestAccount.Password),
            }
        )
        {
            using var answer = await account.SignInAsync(password, email: email);
            var body = await answer.Content.ReadAsStringAsync(Token);
            var headers = string.Join(' ', answer.Headers.Select(header => header.Key).Order(StringComparer.Ordinal));
            seen.Add(
                $"{answer.StatusCode} {headers} "
                    + global::System.Text.RegularExpressions.Regex.Replace(body, "\"request_id\":\"[^\"]*\"", "")
            );
        }

        Assert.StartsWith("Unauthorized", seen[0], StringComparison.Ordinal);
        Assert.Contains("invalid_credentials", seen[0], StringComparison.Ordinal);
        Assert.Single(seen.Distinct());
    }

    [Fact]
    public async Task Unknown_and_known_addresses_cost_the_same_statements()
    {
        using var witness = new StatementCount();
        await using var own = await OwnService.StartAsync(service);
        var account = await TestAccount.CreateAsync(own, own.ProjectId);

        var known = await witness.OfAsync(() =>
            TestAccount.SignInAsync(own.Address, account.Email, "wrong wrong wrong")
        );
        var unknown = await witness.OfAsync(() =>
            TestAccount.SignInAsync(own.Address, "no@example.com", "wrong wrong")
        );

        Assert.NotEmpty(known);
        Assert.Equal(known, unknown);
    }

    [Fact]
    public async Task Five_failures_are_free_then_each_doubles_the_wait_and_success_forgets_them()
    {
        var account = await TestAccount.CreateAsync(service);
        for (var i = 0; i < LoginThrottle.FreeFailures; i++)
        {
            using var wrong = await account.SignInAsync("wrong");
            Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        }

        using var early = await account.SignInAsync();
        Assert.Equal((HttpStatusCode.TooManyRequests, "1"), (early.StatusCode, RetryAfter(early)));
        var waits = new List<string?>();
        for (var i = 0; i < 12; i++)
        {
            await account.ExecuteAsync(
                "UPDATE login_throttles SET blocked_until = now() WHERE email_sha256 = @EmailSha256"
            );
            using var wrong = await account.SignInAsync("wrong");
            Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
            using var next = await account.SignInAsync();
            waits.Add(RetryAfter(next));
        }

        Assert.Equal(["2", "4", "8", "16", "32", "64", "128", "256", "512", "900", "900", "900"], waits);
        await account.ExecuteAsync(
            "UPDATE login_throttles SET blocked_until = now() WHERE email_sha256 = @EmailSha256"
        );
        await account.CookieAsync();
        Assert.Equal(
            0,
            await account.AskAsync<long>("SELECT count(*) FROM login_throttles WHERE email_sha256 = @EmailSha256")
        );
    }

    [Fact]
    public async Task Many_at_once_and_from_a_thousand_addresses_are_no_more_tries_than_one_after_the_other()
    {
        await using var own = await OwnService.StartAsync(
            service,
            set: settings => settings with { TrustedProxies = [IPNetwork.Parse("127.0.0.0/8")] }
        );
        var account = await TestAccount.CreateAsync(own);
        var address = 0;

        var tries = await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(async _ =>
                {
                    var count = 0;
                    for (var i = 0; i < 125; i++)
                    {
                        var from = Interlocked.Increment(ref address);
                        using var answer = await account.SignInAsync(
                            "wrong",
                            headers: ("X-Forwarded-For", $"198.51.{from / 250}.{from % 250}")
                        );
                        count += answer.StatusCode == HttpStatusCode.Unauthorized ? 1 : 0;
                        Assert.NotEqual(HttpStatusCode.NoContent, answer.StatusCode);
                    }

                    return count;
                })
        );

        // five, and one more each time the wait, which doubles, is over
        Assert.InRange(tries.Sum(), LoginThrottle.FreeFailures, LoginThrottle.FreeFailures + 7);
        Assert.Equal(1000, address);
    }

    [Theory]
    [InlineData("Origin", "https://evil.example")]
    [InlineData("Origin", "null")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    public async Task Another_site_signs_nobody_in(string header, string value)
    {
        var account = await TestAccount.CreateAsync(service);

        using var answer = await account.SignInAsync(headers: (header, value));

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Set-Cookie"));
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data")]
    public async Task What_a_form_may_send_is_not_read(string type)
    {
        using var client = service.NewClient();
        var answer = await client.CallAsync(
            "POST",
            "/v1/auth/login",
            """{"email":"ada@example.com","password":"x"}""",
            type
        );

        answer.Expect(HttpStatusCode.UnsupportedMediaType);
    }

    [Fact]
    public async Task A_hash_of_before_is_made_anew_at_the_next_login()
    {
        var account = await TestAccount.CreateAsync(service);
        var salt = new byte[16];
        var derived = NSec
            .Cryptography.PasswordBasedKeyDerivationAlgorithm.Argon2id(
                new NSec.Cryptography.Argon2Parameters
                {
                    DegreeOfParallelism = 1,
                    MemorySize = 8192,
                    NumberOfPasses = 1,
                }
            )
            .DeriveBytes(global::System.Text.Encoding.UTF8.GetBytes(TestAccount.Password), salt, 32);
        await account.SetAsync(
            $"password_hash = '$argon2id$v=19$m=8192,t=1,p=1${Convert.ToBase64String(salt).TrimEnd('=')}${Convert.ToBase64String(derived).TrimEnd('=')}'"
        );

        await account.CookieAsync();

        Assert.StartsWith(
            "$argon2id$v=19$m=19456,t=2,p=1$",
            await account.AskAsync<string>("SELECT password_hash FROM users WHERE id = @Id"),
            StringComparison.Ordinal
        );
        await account.CookieAsync();
    }

    private static string? RetryAfter(HttpResponseMessage answer) =>
        answer.Headers.TryGetValues("Retry-After", out var values) ? values.Single() : null;
}
