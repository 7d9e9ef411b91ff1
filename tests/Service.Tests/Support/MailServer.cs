using System.Text.Json;

namespace Bellhop.Tests.Support;

/// <summary>An SMTP server on 127.0.0.1, of the npm package <c>smtp-server</c>.</summary>
internal sealed class MailServer : IAsyncDisposable
{
    public const string User = "shop";
    public const string Password = "canary-mail-5f1";

    private readonly ChildServer _server;

    private MailServer(ChildServer server, int port) => (_server, Port) = (server, port);

    public int Port { get; }

    /// <summary>The messages it took: <c>from</c>, <c>to</c>, <c>data</c>.</summary>
    public IReadOnlyList<JsonElement> Messages =>
        [.. _server.Said.Where(line => line.StartsWith("{\"from\"")).Select(line => JsonElement.Parse(line))];

    /// <param name="tls"><c>starttls</c>, <c>implicit</c> or <c>off</c>.</param>
    public static async Task<MailServer> StartAsync(
        string tls,
        (string Certificate, string Key)? files = null,
        bool asksForLogin = true
    )
    {
        var package = ChildServer.Require("npm/node_modules/smtp-server/package.json");
        var options = new
        {
            tls,
            certificate = files?.Certificate,
            key = files?.Key,
            user = asksForLogin ? User : null,
            password = Password,
        };
        var server = ChildServer.Start(
            new Dictionary<string, string> { ["NODE_PATH"] = Path.GetFullPath(Path.Combine(package, "../..")) },
            "node",
            Path.Combine(Checkout.Root, "tests", "e2e", "mail-server.cjs"),
            JsonSerializer.Serialize(options)
        );
        var first = await Eventually.FitAsync(
            () => Task.FromResult(string.Join('\n', server.Said)),
            said => said.Contains('}', StringComparison.Ordinal)
        );
        return new MailServer(server, JsonElement.Parse(first).GetProperty("port").GetInt32());
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
