using Xunit;

namespace Bellhop.Tests.Abuse;

/// <summary>Requests that two readers may read differently, or that none should read at all.</summary>
internal static class HostileRequests
{
    private const string Host = "Host: localhost\r\n";
    private const string Get = $"GET /v1/info HTTP/1.1\r\n{Host}";
    private const string Post = $"POST /in/x HTTP/1.1\r\n{Host}";
    private const string Smuggled = $"{Get}\r\n";
    private const string Chunked = "Transfer-Encoding: chunked\r\n";

    /// <summary>A name, the text, how the service answers it, and whether it then answers the next one on the connection.</summary>
    public static TheoryData<string, string, int[], bool> All { get; } =
        new()
        {
            { "length and chunks", $"{Post}Content-Length: 5\r\n{Chunked}\r\n0\r\n\r\n{Smuggled}", [404], false },
            { "chunks and length", $"{Post}{Chunked}Content-Length: 4\r\n\r\n0\r\n\r\n{Smuggled}", [404], false },
            { "two lengths", $"{Post}Content-Length: 0\r\nContent-Length: 43\r\n\r\n{Smuggled}", [400], false },
            { "the same length twice", $"{Post}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", [400], false },
            { "a list of lengths", $"{Post}Content-Length: 3, 3\r\n\r\nabc", [400], false },
            { "a negative length", $"{Post}Content-Length: -1\r\n\r\nabc", [400], false },
            { "a hexadecimal length", $"{Post}Content-Length: 0x3\r\n\r\nabc", [400], false },
            { "a length beyond 64 bits", $"{Post}Content-Length: 99999999999999999999\r\n\r\nabc", [400], false },
            { "a space behind a name", $"{Post}Content-Length : 3\r\n\r\nabc", [400], false },
            { "a coding nobody knows", $"{Post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{Smuggled}", [400], false },
            { "identity", $"{Post}Transfer-Encoding: identity\r\n\r\nabc", [400], false },
            { "chunks inside", $"{Post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{Smuggled}", [400], false },
            { "two codings", $"{Post}{Chunked}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n{Smuggled}", [400], false },
            { "a tab that is none", $"{Post}Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n{Smuggled}", [400], false },
            {
                "a space behind the coding",
                $"{Post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{Smuggled}",
                [400],
                false
            },
            {
                "a coding on a line of its own",
                $"{Post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{Smuggled}",
                [400],
                false
            },
            { "chunks of HTTP/1.0", $"POST /in/x HTTP/1.0\r\n{Host}{Chunked}\r\n0\r\n\r\n{Smuggled}", [404], false },
            { "chunks that end in LF", $"{Post}{Chunked}\r\n3\nabc\n0\n\n{Smuggled}", [404], false },
            {
                "LF in what belongs to a chunk",
                $"{Post}{Chunked}\r\n3;a\nxx\r\nabc\r\n0\r\n\r\n{Smuggled}",
                [404],
                false
            },
            { "a negative chunk", $"{Post}{Chunked}\r\n-1\r\nabc\r\n0\r\n\r\n{Smuggled}", [404], false },
            {
                "a chunk beyond 64 bits",
                $"{Post}{Chunked}\r\nffffffffffffffff1\r\nabc\r\n0\r\n\r\n{Smuggled}",
                [404],
                false
            },
            { "a chunk longer than it says", $"{Post}{Chunked}\r\n3\r\nabcX\r\n0\r\n\r\n{Smuggled}", [404], false },
            { "what belongs to a chunk", $"{Post}{Chunked}\r\n3;a=b\r\nabc\r\n0\r\n\r\n", [404], true },
            {
                "headers behind the body",
                $"{Post}{Chunked}\r\n0\r\nContent-Length: 5\r\nHost: evil\r\n\r\n",
                [404],
                true
            },
            { "a GET with a body", $"{Get}Content-Length: {Smuggled.Length}\r\n\r\n{Smuggled}", [200], true },
            { "a request behind a body", $"{Post}Content-Length: 3\r\n\r\nabc{Smuggled}", [404, 200], true },
            { "twenty at once", string.Concat(Enumerable.Repeat(Smuggled, 20)), [.. Enumerable.Repeat(200, 20)], true },
            { "lines that end in LF", "GET /v1/info HTTP/1.1\nHost: localhost\n\n", [400], false },
            { "one line that ends in LF", "GET /v1/info HTTP/1.1\r\nHost: localhost\nX-A: b\r\n\r\n", [400], false },
            { "one line that ends in CR", "GET /v1/info HTTP/1.1\r\nHost: localhost\rX-A: b\r\n\r\n", [400], false },
            { "a folded header", $"{Get}X-A: a\r\n b\r\n\r\n", [400], false },
            { "a header without a colon", $"{Get}X-A\r\n\r\n", [400], false },
            { "a header without a name", $"{Get}: a\r\n\r\n", [400], false },
            { "a space before the first header", $"GET /v1/info HTTP/1.1\r\n X: a\r\n{Host}\r\n", [400], false },
            { "two hosts", $"{Get}Host: evil\r\n\r\n", [400], false },
            { "no host", "GET /v1/info HTTP/1.1\r\n\r\n", [400], false },
            { "a host that is none", "GET /v1/info HTTP/1.1\r\nHost: a b\r\n\r\n", [400], false },
            { "a host beside that of the target", $"GET http://evil/v1/info HTTP/1.1\r\n{Host}\r\n", [400], false },
            { "NUL in a value", $"{Get}X-A: a\0b\r\n\r\n", [400], false },
            { "NUL in a name", $"{Get}X-\0A: ab\r\n\r\n", [400], false },
            { "NUL in the path", $"GET /v1/in\0fo HTTP/1.1\r\n{Host}\r\n", [400], false },
            { "NUL in the path, encoded", $"GET /v1/in%00fo HTTP/1.1\r\n{Host}\r\n", [400], false },
            { "65 KiB of headers", $"{Get}X-A: {new string('a', 65 * 1024)}\r\n\r\n", [431], false },
            {
                "101 headers",
                $"{Get}{string.Concat(Enumerable.Range(0, 101).Select(n => $"X-{n}: a\r\n"))}\r\n",
                [431],
                false
            },
            { "9 KiB of target", $"GET /v1/info?{new string('a', 9 * 1024)} HTTP/1.1\r\n{Host}\r\n", [414], false },
            { "9 KiB of method", $"{new string('A', 9 * 1024)} / HTTP/1.1\r\n{Host}\r\n", [414], false },
            { "a method that is none", $"G@T /v1/info HTTP/1.1\r\n{Host}\r\n", [400], false },
            { "TRACE", $"TRACE /v1/info HTTP/1.1\r\n{Host}\r\n", [405], true },
            { "CONNECT", "CONNECT evil:80 HTTP/1.1\r\nHost: evil:80\r\n\r\n", [404], true },
            { "OPTIONS of the server", $"OPTIONS * HTTP/1.1\r\n{Host}\r\n", [404], true },
            { "HTTP/0.9", "GET /v1/info\r\n\r\n", [400], false },
            { "HTTP/1.2", $"GET /v1/info HTTP/1.2\r\n{Host}\r\n", [505], false },
            { "HTTP/2 where it is not spoken", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [], false },
            {
                "an upgrade to HTTP/2",
                $"{Get}Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMA\r\n\r\n",
                [200],
                true
            },
            {
                "an upgrade to WebSocket",
                $"{Get}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                [200],
                true
            },
            { "an expectation", $"{Post}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", [404], true },
            {
                "TLS where it is not spoken",
                "\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003\r\n\r\n",
                [400],
                false
            },
            { "every byte", new string([.. Enumerable.Range(0, 2048).Select(n => (char)(n % 256))]), [400], false },
        };
}
