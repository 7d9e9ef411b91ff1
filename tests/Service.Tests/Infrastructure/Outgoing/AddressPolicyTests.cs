using System.Net;
using Bellhop.Infrastructure.Outgoing;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Outgoing;

public sealed class AddressPolicyTests
{
    private static readonly AddressPolicy Strict = new([]);

    private static readonly AddressPolicy Loopback = new([IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("::1/128")]);

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("0.1.2.3")]
    [InlineData("10.0.0.1")]
    [InlineData("10.255.255.255")]
    [InlineData("100.64.0.1")]
    [InlineData("100.127.255.255")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.254")]
    [InlineData("169.254.169.254")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.0.0.8")]
    [InlineData("192.0.2.1")]
    [InlineData("192.88.99.1")]
    [InlineData("192.168.1.1")]
    [InlineData("198.18.0.1")]
    [InlineData("198.19.255.255")]
    [InlineData("198.51.100.1")]
    [InlineData("203.0.113.1")]
    [InlineData("224.0.0.1")]
    [InlineData("239.255.255.255")]
    [InlineData("240.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("::127.0.0.1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("::ffff:0:127.0.0.1")]
    [InlineData("64:ff9b::7f00:1")]
    [InlineData("64:ff9b::a9fe:a9fe")]
    [InlineData("64:ff9b:1::1")]
    [InlineData("100::1")]
    [InlineData("2001::1")]
    [InlineData("2001:0:7f00:1::")]
    [InlineData("2001:2::1")]
    [InlineData("2001:10::1")]
    [InlineData("2001:db8::1")]
    [InlineData("2002:7f00:1::")]
    [InlineData("2002:a9fe:a9fe::1")]
    [InlineData("3fff::1")]
    [InlineData("5f00::1")]
    [InlineData("fc00::1")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fe80::1")]
    [InlineData("fe80::1%2")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    public void An_address_that_is_not_public_is_refused(string address)
    {
        Assert.False(Strict.Allows(IPAddress.Parse(address)));
        Assert.False(Strict.Permits(Protocol.Https, 443, [IPAddress.Parse(address)]));
    }

    [Theory]
    [InlineData("1.1.1.1")]
    [InlineData("9.255.255.255")]
    [InlineData("11.0.0.0")]
    [InlineData("100.63.255.255")]
    [InlineData("100.128.0.0")]
    [InlineData("172.15.255.255")]
    [InlineData("172.32.0.0")]
    [InlineData("192.0.1.0")]
    [InlineData("198.17.255.255")]
    [InlineData("198.20.0.0")]
    [InlineData("223.255.255.255")]
    [InlineData("::ffff:1.1.1.1")]
    [InlineData("2001:200::1")]
    [InlineData("2606:4700::1111")]
    [InlineData("2a00:1450::1")]
    public void A_public_address_beside_a_refused_network_is_allowed(string address) =>
        Assert.True(Strict.Allows(IPAddress.Parse(address)));

    [Fact]
    public void One_refused_address_of_a_name_refuses_them_all()
    {
        Assert.True(Strict.Permits(Protocol.Https, 443, [IPAddress.Parse("1.1.1.1")]));
        Assert.False(Strict.Permits(Protocol.Https, 443, [IPAddress.Parse("1.1.1.1"), IPAddress.Parse("10.0.0.1")]));
        Assert.False(Strict.Permits(Protocol.Https, 443, []));
    }

    [Fact]
    public void Only_an_operators_network_may_be_reached_by_http_or_on_another_port()
    {
        var loopback = IPAddress.Loopback;
        var mapped = IPAddress.Parse("::ffff:127.0.0.1");
        var outside = IPAddress.Parse("1.1.1.1");

        Assert.True(Loopback.Permits(Protocol.Http, 9099, [loopback, mapped]));
        Assert.False(Loopback.Permits(Protocol.Http, 80, [outside]));
        Assert.False(Loopback.Permits(Protocol.Https, 8443, [outside]));
        Assert.False(Loopback.Permits(Protocol.Http, 9099, [loopback, outside]));
        Assert.True(Loopback.Permits(Protocol.Https, 443, [loopback, outside]));
        Assert.False(Loopback.Allows(IPAddress.Parse("10.0.0.1")));
        Assert.False(Loopback.Allows(IPAddress.Parse("64:ff9b::7f00:1")));
    }

    [Theory]
    [MemberData(nameof(Corpus.Rows), MemberType = typeof(Corpus))]
    public void A_url_that_leads_inside_is_refused_when_it_is_saved(string url, string code) =>
        Assert.Equal(new UrlCheck(null, code), Strict.CheckUrl(url));

    [Theory]
    [InlineData("https://hooks.example.com/a?b=c")]
    [InlineData("HTTPS://HOOKS.EXAMPLE.COM:443/")]
    [InlineData("https://1.1.1.1/")]
    [InlineData("https://[2606:4700::1111]/")]
    [InlineData("https://xn--bcher-kva.example/")]
    [InlineData("https://hooks.example.com/@user")]
    public void A_public_https_url_is_accepted(string url)
    {
        var check = Strict.CheckUrl(url);

        Assert.Null(check.ErrorCode);
        Assert.Equal(new Uri(url), check.Url);
    }

    [Theory]
    [InlineData("http://127.0.0.1:9099/hook", null)]
    [InlineData("http://localhost:9099/hook", null)]
    [InlineData("http://[::1]:9099/hook", null)]
    [InlineData("http://receiver:9099/hook", null)]
    [InlineData("http://10.0.0.1:9099/hook", OutgoingErrors.AddressNotAllowed)]
    [InlineData("http://1.1.1.1/hook", OutgoingErrors.UrlSchemeNotAllowed)]
    [InlineData("https://1.1.1.1:8443/hook", OutgoingErrors.UrlPortNotAllowed)]
    [InlineData("ftp://127.0.0.1/hook", OutgoingErrors.UrlSchemeNotAllowed)]
    [InlineData("http://user@127.0.0.1/hook", OutgoingErrors.UrlUserinfo)]
    public void An_operators_network_opens_http_and_any_port_there_only(string url, string? code) =>
        Assert.Equal(code, Loopback.CheckUrl(url).ErrorCode);

    [Fact]
    public void A_url_of_2048_characters_is_accepted_and_a_longer_one_is_not()
    {
        var longest = "https://a.example/".PadRight(AddressPolicy.MaxUrlLength, 'x');

        Assert.Null(Strict.CheckUrl(longest).ErrorCode);
        Assert.Equal(OutgoingErrors.UrlInvalid, Strict.CheckUrl(longest + "x").ErrorCode);
        Assert.Equal(OutgoingErrors.UrlInvalid, Strict.CheckUrl(null).ErrorCode);
    }

    [Fact]
    public void A_network_in_mapped_form_allows_the_ipv4_network()
    {
        var policy = new AddressPolicy([IPNetwork.Parse("::ffff:10.0.0.0/104")]);

        Assert.True(
            policy.Permits(Protocol.Http, 80, [IPAddress.Parse("10.1.2.3"), IPAddress.Parse("::ffff:10.1.2.3")])
        );
        Assert.False(policy.Allows(IPAddress.Parse("127.0.0.1")));
    }

    [Theory]
    [InlineData("postgresql", 5432)]
    [InlineData("mysql", 3306)]
    [InlineData("smtp", 25)]
    [InlineData("smtp", 465)]
    [InlineData("smtp", 587)]
    [InlineData("https", 443)]
    public void A_protocol_is_spoken_to_the_public_on_its_own_ports_only(string name, int port)
    {
        var protocol = All.Single(known => known.Name == name);
        IPAddress[] outside = [IPAddress.Parse("1.1.1.1")];
        int[] others = [.. All.SelectMany(known => known.Ports).Append(80).Except(protocol.Ports)];

        Assert.True(Strict.Permits(protocol, port, outside));
        Assert.Null(Strict.CheckHost(protocol, "db.example.com", port));
        Assert.All(others, other => Assert.False(Strict.Permits(protocol, other, outside)));
        Assert.All(
            others,
            other => Assert.Equal(OutgoingErrors.PortNotAllowed, Strict.CheckHost(protocol, "db.example.com", other))
        );
        Assert.True(Loopback.Permits(protocol, 9099, [IPAddress.Loopback]));
        Assert.Null(Loopback.CheckHost(protocol, "127.0.0.1", 9099));
    }

    [Theory]
    [MemberData(nameof(Corpus.Hosts), MemberType = typeof(Corpus))]
    public void A_host_that_leads_inside_is_refused_when_it_is_saved(string host, string code) =>
        Assert.Equal(code, Strict.CheckHost(Protocol.PostgreSql, host, 5432));

    [Fact]
    public void The_services_own_database_is_refused_unless_the_operator_allows_its_network()
    {
        string[] own = ["DB.example.com.", "1.1.1.1"];
        var strict = new AddressPolicy([], own);
        var allowing = new AddressPolicy([IPNetwork.Parse("1.1.1.0/24")], own);

        Assert.Equal(OutgoingErrors.AddressNotAllowed, strict.CheckHost(Protocol.PostgreSql, "db.Example.com", 5432));
        Assert.Equal(OutgoingErrors.AddressNotAllowed, strict.CheckHost(Protocol.MySql, "1.1.1.1", 3306));
        Assert.Equal(OutgoingErrors.AddressNotAllowed, strict.CheckUrl("https://db.example.com./").ErrorCode);
        Assert.Null(strict.CheckHost(Protocol.PostgreSql, "db2.example.com", 5432));
        Assert.Null(allowing.CheckHost(Protocol.MySql, "1.1.1.1", 3306));
    }

    [Theory]
    [InlineData("127.0.0.1", false)]
    [InlineData("localhost", false)]
    [InlineData("receiver", false)]
    [InlineData("1.1.1.1", true)]
    [InlineData("10.0.0.1", true)]
    public void Plain_text_is_for_what_may_lie_in_an_operators_network(string host, bool needsTls)
    {
        Assert.Equal(needsTls, Loopback.NeedsTls(host));
        Assert.True(Strict.NeedsTls(host));
    }

    private static readonly Protocol[] All =
    [
        Protocol.Http,
        Protocol.Https,
        Protocol.PostgreSql,
        Protocol.MySql,
        Protocol.Smtp,
    ];
}
