using System.Net;
using System.Net.Sockets;
using System.Text;
using Bellhop.Infrastructure.Configuration;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Bellhop.Infrastructure.Http;

/// <summary>The two doors: one for the API, one for operators.</summary>
/// <remarks>
/// Which door a request came in by is a mark on its connection, so that no header, path or port number can claim otherwise.
/// </remarks>
public sealed class Listeners(Settings settings)
{
    private ListenOptions? _api;
    private ListenOptions? _internal;

    /// <summary>Where the API is reached from this machine, once the service has started.</summary>
    public Uri Api => UrlOf(_api ?? throw new InvalidOperationException("This process has no API."));

    /// <summary>Where /metrics and /health with detail are reached from this machine, once the service has started.</summary>
    public Uri Internal => UrlOf(_internal!);

    public bool HasApi => _api is not null;

    public static bool IsInternal(HttpContext http) => http.Features.Get<InternalDoor>() is not null;

    /// <summary>The address to ask for something that listens there: any address means this machine.</summary>
    public static IPEndPoint Reachable(IPEndPoint listen) =>
        listen.Address.Equals(IPAddress.Any) ? new IPEndPoint(IPAddress.Loopback, listen.Port)
        : listen.Address.Equals(IPAddress.IPv6Any) ? new IPEndPoint(IPAddress.IPv6Loopback, listen.Port)
        : listen;

    public void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        // each route has a limit of its own (BodyLimit); beyond a limit of the server's the connection would end with the
        // answer not yet read, where this way the rest of a body is thrown away for five seconds
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MaxRequestLineSize = 8 * 1024;
        kestrel.Limits.MaxRequestHeadersTotalSize = 64 * 1024; // a token of 50 KB gets an answer with a reason
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        // bytes that are not UTF-8 are replaced instead of failing without a body; RequestText refuses them
        kestrel.RequestHeaderEncodingSelector = _ => Encoding.UTF8;
        if (settings.HasRole("api"))
        {
            kestrel.Listen(settings.Listen, listen => _api = listen);
        }

        kestrel.Listen(
            settings.InternalListen,
            listen =>
            {
                _internal = listen;
                listen.Use(next =>
                    connection =>
                    {
                        connection.Features.Set(InternalDoor.Mark);
                        return next(connection);
                    }
                );
            }
        );
    }

    /// <summary>Takes both ports and lets them go again. Fails as the server would where one is taken.</summary>
    public void TryBind()
    {
        IPEndPoint[] wanted = settings.HasRole("api")
            ? [settings.Listen, settings.InternalListen]
            : [settings.InternalListen];
        foreach (var endPoint in wanted)
        {
            using var probe = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            probe.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            try
            {
                probe.Bind(endPoint);
                probe.Listen();
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                throw new IOException(
                    $"{endPoint} is in use.",
                    new AddressInUseException(exception.Message, exception)
                );
            }
        }
    }

    /// <summary>What to tell when the server could not listen; null when it failed for another reason.</summary>
    public StartException? Explain(IOException exception)
    {
        var inUse = exception.InnerException is AddressInUseException;
        var listen = exception.Message.Contains(settings.InternalListen.ToString(), StringComparison.Ordinal)
            ? ("InternalListen", settings.InternalListen)
            : ("Listen", settings.Listen);
        return inUse
            ? new StartException(
                ExitCodes.TryAgain,
                $"{listen.Item2} is in use by another program, perhaps another Bellhop; stop it, or set {Settings.Section}:{listen.Item1} "
                    + $"({Settings.Section}__{listen.Item1}=address:port).",
                exception
            )
            : null;
    }

    private static Uri UrlOf(ListenOptions listen) => new($"http://{Reachable(listen.IPEndPoint!)}");

    private sealed class InternalDoor
    {
        public static readonly InternalDoor Mark = new();
    }
}
