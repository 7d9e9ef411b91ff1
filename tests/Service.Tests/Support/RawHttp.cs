using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>Bytes to a port as they are written, for requests that no HTTP client would send.</summary>
public static partial class RawHttp
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Sends text, one byte a character, and answers all that comes back until the other side closes.</summary>
    public static Task<string> SendAsync(Uri address, string text) =>
        SendAsync(address, Encoding.Latin1.GetBytes(text));

    public static async Task<string> SendAsync(Uri address, byte[] bytes)
    {
        using var client = new TcpClient();
        await using var stream = await OpenAsync(client, address);
        var answer = ReadAsync(stream);
        try
        {
            await stream.WriteAsync(bytes, TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            // it was refused before all was sent
        }

        return await answer.WaitAsync(Patience);
    }

    /// <summary>Sends text and, on the same connection, one more request; tells how the text was answered and whether the request was.</summary>
    /// <remarks>Whatever the text leads the other side to take for a request counts, but for interim responses.</remarks>
    public static async Task<(int[] Statuses, bool WentOn)> ProvokeAsync(Uri address, string text)
    {
        var id = Guid.NewGuid().ToString("N");
        var last = $"GET /v1/info HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {id}\r\nConnection: close\r\n\r\n";
        var answer = await SendAsync(address, text + last);
        var statuses = StatusLine().Matches(answer).Select(line => int.Parse(line.Groups[1].Value, null));
        var wentOn = answer.Contains($"X-Request-Id: {id}", StringComparison.OrdinalIgnoreCase);
        int[] final = [.. statuses.Where(status => status >= 200)];
        return (wentOn ? final[..^1] : final, wentOn);
    }

    /// <summary>How many responses stand in what came back.</summary>
    public static int CountResponses(string answer) => StatusLine().Count(answer);

    public static string Body(string answer) => answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];

    /// <summary>A connection; with https to whoever answers there.</summary>
    public static async Task<Stream> OpenAsync(TcpClient client, Uri address)
    {
        await client.ConnectAsync(address.Host, address.Port, TestContext.Current.CancellationToken);
        if (address.Scheme == Uri.UriSchemeHttp)
        {
            return client.GetStream();
        }

        var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                ApplicationProtocols = [SslApplicationProtocol.Http11],
                RemoteCertificateValidationCallback = CaddyProcess.TakesCertificate,
            },
            TestContext.Current.CancellationToken
        );
        return tls;
    }

    /// <summary>All that comes until the other side closes.</summary>
    public static async Task<string> ReadAsync(Stream stream)
    {
        var received = new MemoryStream();
        try
        {
            await stream.CopyToAsync(received, TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            // a reset ends the answer as well
        }

        return Encoding.Latin1.GetString(received.ToArray());
    }

    [GeneratedRegex(@"HTTP/1\.[01] ([0-9]{3}) ")]
    private static partial Regex StatusLine();
}
