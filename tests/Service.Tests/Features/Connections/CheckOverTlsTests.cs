using System.Net;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

/// <summary>Checks by a service of its own process, which trusts an authority of the tests, of real servers with its certificates.</summary>
public sealed class CheckOverTlsTests(TrustingService trusting) : IClassFixture<TrustingService>
{
    [Fact]
    public async Task A_PostgreSQL_is_logged_in_to_and_says_what_it_is()
    {
        await using var server = await TlsPostgreSql.StartAsync(trusting.Files("localhost"));

        var good = await CheckAsync("postgresql", "localhost", "shop", TlsPostgreSql.Password);
        var readOnly = await CheckAsync("postgresql", "localhost", "reader", TlsPostgreSql.Password);
        var unverified = await CheckAsync("postgresql", "127.0.0.1", "shop", TlsPostgreSql.Password, "require");
        var password = await CheckAsync("postgresql", "localhost", "shop", "canary-wrong");
        var database = await CheckAsync("postgresql", "localhost", "shop", TlsPostgreSql.Password, database: "none");
        var name = await CheckAsync("postgresql", "127.0.0.1", "shop", TlsPostgreSql.Password);

        Assert.Equal(["resolve ok", "connect ok", "tls ok", "login ok", "query ok"], good.Steps);
        Assert.Matches("It is PostgreSQL [0-9.]+.*, not read only\\.", good.Text);
        Assert.Contains(", read only.", readOnly.Text, StringComparison.Ordinal);
        Assert.True(unverified.Ok, unverified.Text);
        Assert.StartsWith("login The server does not let shop in with this password", password.Steps[^1]);
        Assert.Equal("login There is no database none.", database.Steps[^1]);
        Assert.Equal("tls The certificate is not valid for 127.0.0.1.", name.Steps[^1]);

        Task<Report> CheckAsync(
            string kind,
            string host,
            string user,
            string secret,
            string tls = "verify",
            string database = "shop"
        ) => trusting.CheckDatabaseAsync(kind, host, server.Port, user, secret, tls, database);
    }

    [Fact]
    public async Task A_MariaDB_is_logged_in_to_and_says_what_it_is()
    {
        await using var server = await MariaDbServer.StartAsync(trusting.Files("localhost"));

        var good = await CheckAsync("localhost", MariaDbServer.Password);
        var unverified = await CheckAsync("127.0.0.1", MariaDbServer.Password, "require");
        var plain = await CheckAsync("127.0.0.1", MariaDbServer.Password, "off");
        var password = await CheckAsync("localhost", "canary-wrong");
        var database = await CheckAsync("localhost", MariaDbServer.Password, database: "none");
        var name = await CheckAsync("127.0.0.1", MariaDbServer.Password);

        Assert.Equal(["resolve ok", "tls ok", "login ok", "query ok"], good.Steps);
        Assert.Matches("It is [0-9.]+-MariaDB.*, not read only\\.", good.Text);
        Assert.True(unverified.Ok, unverified.Text);
        Assert.Equal(["resolve ok", "login ok", "query ok"], plain.Steps);
        Assert.StartsWith("login The server does not let reader in with this password", password.Steps[^1]);
        Assert.Contains("none", database.Steps[^1], StringComparison.Ordinal);
        Assert.Equal("tls The certificate is not valid for 127.0.0.1.", name.Steps[^1]);

        Task<Report> CheckAsync(string host, string secret, string tls = "verify", string database = "shop") =>
            trusting.CheckDatabaseAsync("mysql", host, server.Port, "reader", secret, tls, database);
    }

    [Theory]
    [InlineData("starttls", "resolve ok", "connect ok", "greeting ok", "tls ok", "login ok")]
    [InlineData("implicit", "resolve ok", "connect ok", "tls ok", "greeting ok", "login ok")]
    public async Task A_mail_server_keeps_its_name_under_TLS(string tls, params string[] steps)
    {
        await using var server = await MailServer.StartAsync(tls, trusting.Files("localhost"));

        var good = await trusting.CheckAsync(Mail("localhost"));
        var name = await trusting.CheckAsync(Mail("127.0.0.1"));

        Assert.Equal(steps, good.Steps);
        Assert.Equal("tls The certificate is not valid for 127.0.0.1.", name.Steps[^1]);

        string Mail(string host) =>
            $$"""{"kind":"smtp","config":{"host":"{{host}}","port":{{server.Port}},"user":"{{MailServer.User}}","from":"a@shop.example","tls":"{{tls}}"},"secret":{"value":"{{MailServer.Password}}"} }""";
    }

    [Fact]
    public async Task A_mail_server_without_STARTTLS_is_not_told_the_password()
    {
        await using var server = await MailServer.StartAsync("off");

        var report = await trusting.CheckAsync(
            $$"""{"kind":"smtp","config":{"host":"127.0.0.1","port":{{server.Port}},"user":"{{MailServer.User}}","from":"a@shop.example"},"secret":{"value":"{{MailServer.Password}}"} }"""
        );

        Assert.StartsWith("tls The SMTP server does not support the STARTTLS extension", report.Steps[^1]);
    }

    [Fact]
    public async Task An_API_shows_a_certificate_for_its_name()
    {
        using var stranger = new ThrowAwayAuthority();
        using var own = trusting.Authority.Issue("localhost");
        using var strange = stranger.Issue("localhost");
        await using var api = await ApiDouble.StartAsync(_ => Results.Ok(), own);
        await using var unknown = await ApiDouble.StartAsync(_ => Results.Ok(), strange);

        var good = await trusting.CheckAsync(Api($"https://localhost:{api.Port}"));
        var name = await trusting.CheckAsync(Api($"https://127.0.0.1:{api.Port}"));
        var authority = await trusting.CheckAsync(Api($"https://localhost:{unknown.Port}"));

        Assert.Equal(["resolve ok", "connect ok", "tls ok", "request ok"], good.Steps);
        Assert.Equal("tls The certificate is not valid for 127.0.0.1.", name.Steps[^1]);
        Assert.StartsWith("tls No authority that this system trusts has issued the certificate", authority.Steps[^1]);

        static string Api(string url) => $$"""{"kind":"http","config":{"base_url":"{{url}}"} }""";
    }
}

/// <summary>The service as a process of its own that trusts one authority, and may reach this machine by any of its names.</summary>
public sealed class TrustingService : IAsyncLifetime
{
    private readonly string _home = Directory.CreateTempSubdirectory("bellhop-trust-").FullName;
    private readonly EmbeddedCluster _cluster = EmbeddedCluster.Start(Checkout.State, throwAway: true);
    private ServiceProcess? _process;
    private HttpClient? _http;

    public ThrowAwayAuthority Authority { get; } = new();

    public async ValueTask InitializeAsync()
    {
        var trusted = Path.Combine(_home, "authority.pem");
        await File.WriteAllTextAsync(trusted, Authority.Pem);
        _process = new ServiceProcess(
            _home,
            _cluster.ConnectionString,
            new Dictionary<string, string>
            {
                ["SSL_CERT_FILE"] = trusted,
                ["Bellhop__Outgoing__AllowNetworks__1"] = "::1/128",
            }
        );
        await _process.ServeAsync();
        _http = _process.NewClient();
    }

    /// <summary>A certificate for the name and its key, as files.</summary>
    public (string Certificate, string Key) Files(string name) =>
        Authority.Write(Directory.CreateDirectory(Path.Combine(_home, $"{Guid.NewGuid():N}")).FullName, name);

    internal async Task<Report> CheckAsync(string document)
    {
        var path = $"{TestConnections.Path}/c-{Guid.NewGuid():N}";
        (await _http!.ChangeAsync("PUT", path, document)).Expect(HttpStatusCode.Created);
        return Report.Of(await _http!.CallAsync("POST", $"{path}/check"));
    }

    internal Task<Report> CheckDatabaseAsync(
        string kind,
        string host,
        int port,
        string user,
        string secret,
        string tls,
        string database
    ) =>
        CheckAsync(
            $$"""{"kind":"{{kind}}","config":{"host":"{{host}}","port":{{port}},"database":"{{database}}","user":"{{user}}","tls":"{{tls}}"},"secret":{"value":"{{secret}}"} }"""
        );

    public async ValueTask DisposeAsync()
    {
        _http?.Dispose();
        if (_process is not null)
        {
            await _process.DisposeAsync();
            Assert.DoesNotContain("canary", _process.Output, StringComparison.Ordinal);
        }

        _cluster.Dispose();
        Authority.Dispose();
        Directory.Delete(_home, recursive: true);
    }
}
