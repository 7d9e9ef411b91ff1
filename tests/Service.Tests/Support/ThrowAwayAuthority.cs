using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Bellhop.Tests.Support;

/// <summary>A certificate authority of one test, which nobody trusts who is not told to.</summary>
public sealed class ThrowAwayAuthority : IDisposable
{
    private static readonly DateTimeOffset From = TimeProvider.System.GetUtcNow().AddDays(-1);

    private readonly RSA _key = RSA.Create(2048);
    private readonly X509Certificate2 _certificate;

    public ThrowAwayAuthority()
    {
        var request = Request("CN=a throw-away authority", _key);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        _certificate = request.CreateSelfSigned(From, From.AddDays(10));
    }

    /// <summary>As <c>SSL_CERT_FILE</c> takes it.</summary>
    public string Pem => _certificate.ExportCertificatePem();

    /// <summary>A server's certificate with its key.</summary>
    /// <param name="issuerUrl">Where it says its issuer can be fetched from.</param>
    public X509Certificate2 Issue(string name, string? issuerUrl = null)
    {
        using var key = RSA.Create(2048);
        var request = Request("CN=server", key);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(name, out var address))
        {
            names.AddIpAddress(address);
        }
        else
        {
            names.AddDnsName(name);
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false)
        );
        if (issuerUrl is not null)
        {
            request.CertificateExtensions.Add(new X509AuthorityInformationAccessExtension(null, [issuerUrl]));
        }

        using var certificate = request.Create(_certificate, From, From.AddDays(9), RandomNumberGenerator.GetBytes(8));
        using var whole = certificate.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(
            whole.Export(X509ContentType.Pfx),
            null,
            X509KeyStorageFlags.Exportable
        );
    }

    /// <summary>Writes certificate and key as servers read them.</summary>
    public (string Certificate, string Key) Write(string directory, string name)
    {
        using var issued = Issue(name);
        using var key = issued.GetRSAPrivateKey()!;
        var paths = (Path.Combine(directory, $"{name}.crt"), Path.Combine(directory, $"{name}.key"));
        File.WriteAllText(paths.Item1, issued.ExportCertificatePem());
        File.WriteAllText(paths.Item2, key.ExportPkcs8PrivateKeyPem());
        return paths;
    }

    public void Dispose()
    {
        _certificate.Dispose();
        _key.Dispose();
    }

    private static CertificateRequest Request(string subject, RSA key) =>
        new(subject, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
}
