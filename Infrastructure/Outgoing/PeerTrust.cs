using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>How the certificates of servers outside are verified: without any request of its own.</summary>
/// <remarks>
/// A certificate may name a URL to fetch its issuer from, and .NET fetches it before it has decided anything: a stranger's server
/// would have this service ask any address by http. Servers must send their chain (RFC 8446 4.4.2), and nothing is fetched.
/// </remarks>
public static class PeerTrust
{
    private static readonly Oid ServerAuthentication = new("1.3.6.1.5.5.7.3.1");

    private static readonly AsyncLocal<bool> Refusing = new();

    /// <summary>The policy for whoever may be given one.</summary>
    public static X509ChainPolicy NewPolicy() =>
        new()
        {
            DisableCertificateDownloads = true,
            RevocationMode = X509RevocationMode.NoCheck,
            ApplicationPolicy = { ServerAuthentication },
        };

    /// <summary>Whether the certificate is trusted and valid for the name, for drivers that connect to an address instead.</summary>
    public static bool IsValidFor(string name, X509Certificate? certificate, SslPolicyErrors errors) =>
        certificate is X509Certificate2 leaf
        && (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None
        && leaf.MatchesHostname(name, allowCommonName: false);

    /// <summary>For libraries that take no policy: until it is disposed, nothing is fetched for what this flow of control verifies.</summary>
    public static IDisposable RefuseDownloads()
    {
        Refusing.Value = true;
        return new Refusal();
    }

    /// <summary>Must run before the process verifies its first certificate, when .NET makes its own client for fetching them.</summary>
    internal static void GuardDownloads()
    {
        if (HttpClient.DefaultProxy is not Guard)
        {
            HttpClient.DefaultProxy = new Guard(HttpClient.DefaultProxy);
        }
    }

    private sealed class Refusal : IDisposable
    {
        public void Dispose() => Refusing.Value = false;
    }

    /// <summary>Leads what must not be sent to a proxy that is none; all else goes as it would.</summary>
    private sealed class Guard(IWebProxy others) : IWebProxy
    {
        private static readonly Uri Nowhere = new("http://127.0.0.1:0");

        public ICredentials? Credentials
        {
            get => others.Credentials;
            set => others.Credentials = value;
        }

        public Uri? GetProxy(Uri destination) => Refusing.Value ? Nowhere : others.GetProxy(destination);

        public bool IsBypassed(Uri host) => !Refusing.Value && others.IsBypassed(host);
    }
}
