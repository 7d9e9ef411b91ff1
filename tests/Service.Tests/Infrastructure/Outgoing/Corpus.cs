using Bellhop.Infrastructure.Outgoing;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Outgoing;

/// <summary>Spellings by which URLs have been led inside, and the code each is refused with before a look-up.</summary>
internal static class Corpus
{
    private static readonly string[] Inside =
    [
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "0x7f000001",
        "127.1",
        "127.0.0.1",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST.",
        "db.localhost",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[fc00::1]",
        "[fe80::1%25lo]",
        "[fd00:ec2::254]",
    ];

    public static TheoryData<string, string> Rows()
    {
        var rows = new TheoryData<string, string>();
        foreach (var host in Inside)
        {
            rows.Add($"https://{host}/", OutgoingErrors.AddressNotAllowed);
            rows.Add($"http://{host}:8080/", OutgoingErrors.AddressNotAllowed);
        }

        rows.Add("https://①②⑦.⓪.⓪.①/", OutgoingErrors.UrlInvalid);
        rows.Add("https://127。0。0。1/", OutgoingErrors.UrlInvalid);
        rows.Add("https://bücher.example/", OutgoingErrors.UrlInvalid);
        rows.Add("https://a.example\\@127.0.0.1/", OutgoingErrors.UrlInvalid);
        rows.Add("https://a.example/\r\nx", OutgoingErrors.UrlInvalid);
        rows.Add(" https://a.example/", OutgoingErrors.UrlInvalid);
        rows.Add("https:///", OutgoingErrors.UrlInvalid);
        rows.Add("https:a.example", OutgoingErrors.UrlInvalid);
        rows.Add("//a.example/", OutgoingErrors.UrlInvalid);
        rows.Add("/hook", OutgoingErrors.UrlInvalid);
        rows.Add("", OutgoingErrors.UrlInvalid);
        rows.Add("file:///etc/passwd", OutgoingErrors.UrlSchemeNotAllowed);
        rows.Add("gopher://a.example/", OutgoingErrors.UrlSchemeNotAllowed);
        rows.Add("http://a.example/", OutgoingErrors.UrlSchemeNotAllowed);
        rows.Add("https://a.example:8443/", OutgoingErrors.UrlPortNotAllowed);
        rows.Add("https://a.example:80/", OutgoingErrors.UrlPortNotAllowed);
        rows.Add("https://user:password@a.example/", OutgoingErrors.UrlUserinfo);
        rows.Add("https://@a.example/", OutgoingErrors.UrlUserinfo);
        rows.Add("https://a.example@127.0.0.1/", OutgoingErrors.UrlUserinfo);
        rows.Add("https://a.example/#part", OutgoingErrors.UrlFragment);
        return rows;
    }

    public static TheoryData<string, string> Hosts()
    {
        var rows = new TheoryData<string, string>();
        foreach (var host in Inside)
        {
            // without brackets, as a host of its own is written; a zone is none of a name's characters
            var bare = host.Trim('[', ']');
            var isZone = bare.Contains('%', StringComparison.Ordinal);
            rows.Add(bare, isZone ? OutgoingErrors.HostInvalid : OutgoingErrors.AddressNotAllowed);
        }

        string[] none =
        [
            "",
            " ",
            "a b",
            "a.example/",
            "a.example:5432",
            "[::1]",
            "fe80::1%lo",
            "①②⑦.⓪.⓪.①",
            "bücher.example",
            "a..b",
            "-a",
            "a@b",
            "a,127.0.0.1",
            "/var/run/postgresql",
        ];
        foreach (var host in none)
        {
            rows.Add(host, OutgoingErrors.HostInvalid);
        }

        return rows;
    }
}
