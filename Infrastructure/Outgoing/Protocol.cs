namespace Bellhop.Infrastructure.Outgoing;

/// <summary>What is spoken to a server outside, and the ports on which anybody's server may be spoken to.</summary>
/// <remarks>On other ports, and by http, only servers in networks the operator allows.</remarks>
public sealed class Protocol
{
    public static readonly Protocol Http = new("http");
    public static readonly Protocol Https = new("https", 443);
    public static readonly Protocol PostgreSql = new("postgresql", 5432);
    public static readonly Protocol MySql = new("mysql", 3306);
    public static readonly Protocol Smtp = new("smtp", 25, 465, 587);

    private Protocol(string name, params int[] ports) => (Name, Ports) = (name, ports);

    public string Name { get; }

    public IReadOnlyList<int> Ports { get; }

    public override string ToString() => Name;

    /// <summary>That of a URL whose scheme was checked.</summary>
    internal static Protocol Of(Uri url) => url.Scheme == Uri.UriSchemeHttps ? Https : Http;
}
