using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections;

/// <summary>Is told how far the opening of a session has come.</summary>
internal class SessionWatch
{
    public static readonly SessionWatch None = new();

    /// <summary>The step is behind.</summary>
    public virtual void Reached(string step, string detail) { }

    /// <summary>The server's certificate was refused.</summary>
    public virtual void Refused(string reason) { }

    /// <summary>Decides on a server's certificate, and tells what came of it.</summary>
    /// <param name="name">What it must be valid for; null: it is not looked at.</param>
    public bool Accepts(string? name, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (name is null)
        {
            Reached(Checking.StepName.Tls, "Encrypted; whose the certificate is was not looked at.");
            return true;
        }

        if (PeerTrust.IsValidFor(name, certificate, errors))
        {
            Reached(Checking.StepName.Tls, $"Encrypted; the certificate is valid for {name}.");
            return true;
        }

        var isTrusted = (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None;
        var isExpired = chain?.ChainStatus.Any(status => status.Status == X509ChainStatusFlags.NotTimeValid) is true;
        Refused(
            isTrusted ? $"The certificate is not valid for {name}."
            : isExpired ? "The certificate, or one above it, has expired or is not valid yet."
            : "No authority that this system trusts has issued the certificate; it must come with its whole chain."
        );
        return false;
    }
}
