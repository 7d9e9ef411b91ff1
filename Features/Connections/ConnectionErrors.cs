using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections;

/// <summary>Reasons of connections beside those of <see cref="OutgoingErrors"/>.</summary>
public static class ConnectionErrors
{
    /// <summary>The request would have left the hosts of its connection; nothing was sent.</summary>
    public const string HostNotOfConnection = "host_not_of_connection";

    /// <summary>The named secret is gone; nothing was sent.</summary>
    public const string SecretMissing = "secret_missing";

    /// <summary>The token endpoint did not hand out a token; the request itself was not sent.</summary>
    public const string TokenFailed = "token_failed";

    /// <summary>Without TLS only servers in networks the operator allows are spoken to.</summary>
    public const string PlainText = "plain_text_not_allowed";

    /// <summary>The database is not there, or does not let the user in.</summary>
    public const string LoginFailed = "login_failed";

    /// <summary>The server, or its driver, refused the statement; the message says why.</summary>
    public const string StatementFailed = "statement_failed";
}

/// <summary>Reasons in words that say what would be right.</summary>
internal static class Reasons
{
    public static string Of(string code) =>
        code switch
        {
            OutgoingErrors.UrlInvalid =>
                "An absolute URL, such as https://api.example.com/v1; other than ASCII is percent-encoded.",
            OutgoingErrors.UrlSchemeNotAllowed => "https; http is for servers in networks that the operator allows.",
            OutgoingErrors.UrlUserinfo => "No user or password in the URL: give a secret.",
            OutgoingErrors.UrlFragment => "No fragment: it is never sent.",
            OutgoingErrors.UrlPortNotAllowed =>
                "Port 443; other ports are for servers in networks that the operator allows.",
            OutgoingErrors.HostInvalid => "A host is a name or an address, without scheme, port, brackets or path.",
            OutgoingErrors.PortNotAllowed =>
                "The protocol's own port; others are for servers in networks that the operator allows.",
            OutgoingErrors.AddressNotAllowed =>
                "This address may not be connected to: it is private, or one of the service's own; an operator can allow its network.",
            OutgoingErrors.DnsFailed => "The name has no address: is it spelled right?",
            OutgoingErrors.ConnectFailed => "Nothing accepts connections there: is the server up, and the port right?",
            OutgoingErrors.ConnectTimeout => "No connection came about in time: is a firewall between?",
            OutgoingErrors.TlsFailed => "The TLS handshake failed, or the certificate is not valid for the host.",
            OutgoingErrors.Timeout => "No answer came in time.",
            OutgoingErrors.ConnectionLost => "The connection ended before there was an answer.",
            OutgoingErrors.ResponseInvalid => "What came is not HTTP.",
            OutgoingErrors.BodyReadFailed => "The answer broke off.",
            OutgoingErrors.RedirectNotFollowed =>
                "It answered with a redirect, which is never followed: give the URL it leads to.",
            OutgoingErrors.HeaderValueInvalid =>
                "The secret cannot be sent in a header: it holds a character that is not printable ASCII.",
            ConnectionErrors.HostNotOfConnection => "The URL is on another host than base_url and allowed_hosts.",
            ConnectionErrors.SecretMissing => "The secret is gone: put it again.",
            ConnectionErrors.TokenFailed => "The token endpoint handed out no token.",
            ConnectionErrors.PlainText =>
                "Without TLS only servers in networks that the operator allows are spoken to.",
            _ => code,
        };

    public static string OfPort(Protocol protocol) =>
        $"Port {string.Join(" or ", protocol.Ports)}; others are for servers in networks that the operator allows.";
}
