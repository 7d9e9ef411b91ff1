namespace Bellhop.Infrastructure.Outgoing;

/// <summary>
/// The closed set of reasons why a request that leaves this service did not succeed, as they are stored and shown.
/// </summary>
/// <remarks>
/// The <c>url_*</c> and <c>header_*</c> codes and <see cref="AddressNotAllowed"/> are decided before any connection is
/// made: what they say does not depend on whether something listens at the address.
/// </remarks>
public static class OutgoingErrors
{
    /// <summary>The URL does not parse, is too long, or holds a character that must be percent-encoded.</summary>
    public const string UrlInvalid = "url_invalid";

    /// <summary>Only https, unless the address lies in a network the operator allows: then http too.</summary>
    public const string UrlSchemeNotAllowed = "url_scheme_not_allowed";

    /// <summary>The URL carries a user name or password.</summary>
    public const string UrlUserinfo = "url_userinfo";

    /// <summary>The URL carries a fragment, which is never sent.</summary>
    public const string UrlFragment = "url_fragment";

    /// <summary>Only port 443, unless the address lies in a network the operator allows.</summary>
    public const string UrlPortNotAllowed = "url_port_not_allowed";

    /// <summary>The host is neither a name (RFC 1123) nor an address without brackets and zone.</summary>
    public const string HostInvalid = "host_invalid";

    /// <summary>Only the protocol's own ports, unless the address lies in a network the operator allows.</summary>
    public const string PortNotAllowed = "port_not_allowed";

    /// <summary>The header's name is not an RFC 9110 token of at most 128 characters.</summary>
    public const string HeaderNameInvalid = "header_name_invalid";

    /// <summary>The header's value holds a control or non-ASCII character, or is longer than 8,192.</summary>
    public const string HeaderValueInvalid = "header_value_invalid";

    /// <summary>The header belongs to the connection or the message's framing and is not the caller's to set.</summary>
    public const string HeaderNotAllowed = "header_not_allowed";

    /// <summary>The host is, or one of its addresses is, one that this service does not connect to.</summary>
    public const string AddressNotAllowed = "address_not_allowed";

    /// <summary>The host's name has no address, or the resolver did not answer.</summary>
    public const string DnsFailed = "dns_failed";

    /// <summary>No address of the host accepted a connection.</summary>
    public const string ConnectFailed = "connect_failed";

    /// <summary>No connection, its TLS handshake included, came about within its 10 seconds.</summary>
    public const string ConnectTimeout = "connect_timeout";

    /// <summary>The TLS handshake failed, or the certificate is not valid for the host.</summary>
    public const string TlsFailed = "tls_failed";

    /// <summary>The deadline over connect, headers and body passed.</summary>
    public const string Timeout = "timeout";

    /// <summary>The connection ended before the response's headers had arrived.</summary>
    public const string ConnectionLost = "connection_lost";

    /// <summary>What came is not HTTP, or its headers exceed 16 KiB.</summary>
    public const string ResponseInvalid = "response_invalid";

    /// <summary>Status and headers arrived, the body did not arrive whole.</summary>
    public const string BodyReadFailed = "body_read_failed";

    /// <summary>The answer was a 3xx; redirects are never followed.</summary>
    public const string RedirectNotFollowed = "redirect_not_followed";

    /// <summary>Whether the same request may fare better later: what the network did, not what the request is.</summary>
    public static bool MayPass(string code) =>
        code
            is DnsFailed
                or ConnectFailed
                or ConnectTimeout
                or TlsFailed
                or Timeout
                or ConnectionLost
                or ResponseInvalid
                or BodyReadFailed;

    /// <summary>The code of what the HTTP stack threw before a response's headers had arrived.</summary>
    internal static string Of(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is DialException dial)
            {
                return dial.Code;
            }
        }

        // Neither the caller's token nor the deadline: the handler's own limit on connecting.
        if (exception is OperationCanceledException)
        {
            return ConnectTimeout;
        }

        return (exception as HttpRequestException)?.HttpRequestError switch
        {
            HttpRequestError.ConnectionError => ConnectFailed,
            HttpRequestError.SecureConnectionError => TlsFailed,
            HttpRequestError.InvalidResponse
            or HttpRequestError.HttpProtocolError
            or HttpRequestError.VersionNegotiationError
            or HttpRequestError.ConfigurationLimitExceeded => ResponseInvalid,
            _ => ConnectionLost,
        };
    }
}
