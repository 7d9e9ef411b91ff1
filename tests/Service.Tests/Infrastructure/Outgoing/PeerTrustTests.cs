using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Bellhop.Infrastructure.Outgoing;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Outgoing;

/// <summary>A server whose certificate says that its issuer can be fetched from an address of the server's choice.</summary>
public sealed class PeerTrustTests(ServiceFixture service) : IDisposable
{
    private readonly ThrowAwayAuthority _authority = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _authority.Dispose();

    [Fact]
    public async Task What_a_strangers_certificate_names_is_not_fetched()
    {
        Assert.NotNull(service); // it guards downloads when it starts
        await using var inside = LoopbackServer.Answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        using var client = new OutgoingClient(new AddressPolicy([IPNetwork.Parse("127.0.0.0/8")]), TimeProvider.System);

        var port = Serve(_authority.Issue("localhost", $"{inside.Url}/1"));
        var response = await client.SendAsync(new OutgoingRequest(HttpMethod.Get, $"https://127.0.0.1:{port}/"), Token);
        Assert.Equal((OutgoingErrors.TlsFailed, 0), (response.ErrorCode, inside.ConnectionCount));

        using (PeerTrust.RefuseDownloads())
        {
            await HandshakeAsync(Serve(_authority.Issue("localhost", $"{inside.Url}/2")));
        }

        Assert.Equal(0, inside.ConnectionCount);

        // what both keep from happening: .NET does fetch it
        await HandshakeAsync(Serve(_authority.Issue("localhost", $"{inside.Url}/3")));
        Assert.Equal(1, inside.ConnectionCount);
    }

    [Theory]
    [InlineData("db.example", SslPolicyErrors.None, true)]
    [InlineData("db.example", SslPolicyErrors.RemoteCertificateNameMismatch, true)]
    [InlineData("db.example", SslPolicyErrors.RemoteCertificateChainErrors, false)]
    [InlineData("other.example", SslPolicyErrors.None, false)]
    [InlineData("server", SslPolicyErrors.None, false)]
    public void A_certificate_is_valid_for_its_names_if_its_chain_is(string name, SslPolicyErrors errors, bool isValid)
    {
        using var certificate = _authority.Issue("db.example");

        Assert.Equal(isValid, PeerTrust.IsValidFor(name, certificate, errors));
        Assert.False(PeerTrust.IsValidFor(name, null, errors));
    }

    private static int Serve(X509Certificate2 certificate)
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _ = ServeAsync(listener, certificate);
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task ServeAsync(TcpListener listener, X509Certificate2 certificate)
    {
        using var _ = listener;
        using var mine = certificate;
        using var socket = await listener.AcceptSocketAsync(Token);
        await using var stream = new SslStream(new NetworkStream(socket));
        try
        {
            await stream.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    // offline: or the server itself would fetch
                    ServerCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true),
                },
                Token
            );
            Assert.Equal(0, await stream.ReadAsync(new byte[1], Token));
        }
        catch (Exception exception) when (exception is IOException or AuthenticationException)
        {
            // the client refused the certificate
        }
    }

    private static async Task HandshakeAsync(int port)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, port, Token);
        await using var stream = new SslStream(socket.GetStream());
        await Assert.ThrowsAsync<AuthenticationException>(() =>
            stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, Token)
        );
    }
}
