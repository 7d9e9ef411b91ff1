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
        await client.ConnectAsync(address.Host, address.Port, TestContext.Current.CancellationToken);
        await using var stream = client.GetStream();
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

    /// <summary>How many responses stand in what came back.</summary>
    public static int CountResponses(string answer) => StatusLine().Count(answer);

    public static string Body(string answer) => answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];

    private static async Task<string> ReadAsync(NetworkStream stream)
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

    [GeneratedRegex(@"HTTP/1\.[01] [0-9]{3} ")]
    private static partial Regex StatusLine();
}
