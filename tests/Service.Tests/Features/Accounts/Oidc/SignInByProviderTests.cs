using System.Net;
using System.Security.Cryptography;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.IdentityModel.Tokens;
using Xunit;

namespace Bellhop.Tests.Features.Accounts.Oidc;

/// <summary>Against a provider that holds clients to the protocol, as a browser goes through it.</summary>
public sealed class SignInByProviderTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_has_an_account_is_signed_in_and_known_by_his_subject_from_then_on()
    {
        await using var issuer = await SmallIssuer.StartAsync();
        await using var own = await StartAsync(issuer);
        var user = await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId);
        issuer.Email = user.Email.ToUpperInvariant();
        using var browser = new Browser(own.Address);

        var landed = await browser.SignInAsync("/docs");
        var me = await browser.MeAsync();
        issuer.Email = "another@example.com";
        using var again = new Browser(own.Address);
        await again.SignInAsync();

        Assert.Equal("/docs", landed.Headers.Location!.OriginalString);
        Assert.Equal(user.Id, me.Body.GetProperty("user_id").GetGuid());
        Assert.Equal(user.Id, (await again.MeAsync()).Body.GetProperty("user_id").GetGuid());
    }

    [Fact]
    public async Task An_invitation_to_a_verified_address_is_accepted()
    {
        await using var issuer = await SmallIssuer.StartAsync();
        await using var own = await StartAsync(issuer);
        var owner = await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId);
        (await owner.Http.PostAsync("/v1/users/invite", """{"email":"grace@example.com","role":"operator"}""")).Expect(
            HttpStatusCode.Created
        );
        issuer.Email = "Grace@example.com";
        using var browser = new Browser(own.Address);

        await browser.SignInAsync();

        Assert.Equal(
            "operator",
            (await browser.MeAsync()).Expect(HttpStatusCode.OK).Body.GetProperty("role").GetString()
        );
    }

    [Fact]
    public async Task An_invitation_into_an_archived_project_waits_until_that_is_restored()
    {
        await using var issuer = await SmallIssuer.StartAsync();
        await using var own = await StartAsync(issuer);
        var owner = await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId);
        (await owner.Http.PostAsync("/v1/users/invite", """{"email":"grace@example.com","role":"operator"}""")).Expect(
            HttpStatusCode.Created
        );
        (await owner.Http.PostAsync($"/v1/projects/{own.ProjectId}/archive", "{}")).Expect(HttpStatusCode.OK);
        issuer.Email = "grace@example.com";
        using var browser = new Browser(own.Address);

        using var early = await browser.SignInAsync();
        (await owner.Http.PostAsync($"/v1/projects/{own.ProjectId}/restore", "{}")).Expect(HttpStatusCode.OK);
        await browser.SignInAsync();

        Assert.Equal(HttpStatusCode.Forbidden, early.StatusCode);
        (await browser.MeAsync()).Expect(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_is_not_invited_or_not_verified_does_not_get_in(bool isVerified)
    {
        await using var issuer = await SmallIssuer.StartAsync();
        await using var own = await StartAsync(issuer);
        var user = await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId);
        issuer.Email = isVerified ? "nobody@example.com" : user.Email;
        issuer.IsEmailVerified = isVerified;
        using var browser = new Browser(own.Address);

        var answer = await browser.SignInAsync();

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.Contains("not_invited", await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        (await browser.MeAsync()).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [InlineData("nonce", "another")]
    [InlineData("aud", "another")]
    [InlineData("iss", "https://evil.example.com")]
    public async Task An_ID_token_that_is_not_for_this_sign_in_proves_nothing(string claim, string value)
    {
        await using var issuer = await SmallIssuer.StartAsync();
        await using var own = await StartAsync(issuer);
        issuer.Email = (await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId)).Email;
        issuer.Bend = claims => claims[claim] = value;
        using var browser = new Browser(own.Address);

        var answer = await browser.SignInAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains("provider_failed", await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_ID_token_signed_by_another_key_proves_nothing()
    {
        await using var issuer = await SmallIssuer.StartAsync();
        await using var own = await StartAsync(issuer);
        issuer.Email = (await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId)).Email;
        using var key = RSA.Create(2048);
        issuer.Signs = new SigningCredentials(new RsaSecurityKey(key) { KeyId = "k1" }, SecurityAlgorithms.RsaSha256);
        using var browser = new Browser(own.Address);

        Assert.Equal(HttpStatusCode.Unauthorized, (await browser.SignInAsync()).StatusCode);
    }

    [Fact]
    public async Task A_code_that_another_browser_asked_for_signs_nobody_in()
    {
        await using var issuer = await SmallIssuer.StartAsync();
        await using var own = await StartAsync(issuer);
        issuer.Email = (await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId)).Email;
        using var attacker = new Browser(own.Address);
        using var victim = new Browser(own.Address);
        var callback = await attacker.AuthorizeAsync("/docs");

        using var answer = await victim.GetAsync(callback);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        (await victim.MeAsync()).Expect(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [InlineData("https://evil.example.com")]
    [InlineData("//evil.example.com")]
    [InlineData("/\\evil.example.com")]
    public async Task Nobody_is_sent_elsewhere(string target)
    {
        await using var issuer = await SmallIssuer.StartAsync();
        await using var own = await StartAsync(issuer);
        using var browser = new Browser(own.Address);

        using var answer = await browser.GetAsync($"/v1/auth/oidc?return_to={Uri.EscapeDataString(target)}");

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task Without_a_provider_there_is_no_such_way()
    {
        using var browser = new Browser(service.Address);

        using var start = await browser.GetAsync("/v1/auth/oidc");
        using var end = await browser.GetAsync("/v1/auth/oidc/callback?code=a&state=b");

        Assert.Equal(HttpStatusCode.NotFound, start.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, end.StatusCode);
    }

    private Task<OwnService> StartAsync(SmallIssuer issuer) =>
        OwnService.StartAsync(
            service,
            set: settings =>
                settings with
                {
                    Oidc = new OidcSettings(issuer.Url, SmallIssuer.ClientId, SmallIssuer.ClientSecret),
                }
        );

    /// <summary>Keeps cookies whatever they say of TLS, which there is none of here, and follows no redirect by itself.</summary>
    private sealed class Browser(Uri address) : IDisposable
    {
        private readonly Dictionary<string, string> _cookies = new(StringComparer.Ordinal);
        private readonly HttpClient _http = new(
            new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false }
        )
        {
            BaseAddress = address,
        };

        /// <summary>To the provider and back, to where the service then sends the browser.</summary>
        public async Task<HttpResponseMessage> SignInAsync(string? target = null) =>
            await GetAsync(await AuthorizeAsync(target));

        /// <summary>To the provider; where that sends the browser.</summary>
        public async Task<string> AuthorizeAsync(string? target)
        {
            var start = target is null
                ? "/v1/auth/oidc"
                : QueryHelpers.AddQueryString("/v1/auth/oidc", "return_to", target);
            using var begun = await GetAsync(start);
            Assert.Equal(HttpStatusCode.Redirect, begun.StatusCode);
            using var provider = await GetAsync(begun.Headers.Location!.OriginalString);
            Assert.Equal(HttpStatusCode.Redirect, provider.StatusCode);
            return provider.Headers.Location!.OriginalString;
        }

        public Task<Answer> MeAsync() => _http.CallAsync("GET", "/v1/auth/me", headers: ("Cookie", Cookies));

        public async Task<HttpResponseMessage> GetAsync(string url)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            request.Headers.Add("Cookie", Cookies);
            var answer = await _http.SendAsync(request, Token);
            foreach (var cookie in answer.Headers.TryGetValues("Set-Cookie", out var set) ? set : [])
            {
                Assert.Contains("; secure", cookie, StringComparison.OrdinalIgnoreCase);
                Assert.Contains("; httponly", cookie, StringComparison.OrdinalIgnoreCase);
                var (name, value) = (cookie.Split('=')[0], cookie.Split(';')[0][(cookie.IndexOf('=') + 1)..]);
                _cookies[name] = value;
            }

            return answer;
        }

        public void Dispose() => _http.Dispose();

        private string Cookies =>
            string.Join("; ", _cookies.Select(cookie => $"{cookie.Key}={cookie.Value}").DefaultIfEmpty("none=1"));
    }
}
