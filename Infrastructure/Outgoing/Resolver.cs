using System.Net;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>Finds the addresses of a name; throws <see cref="System.Net.Sockets.SocketException"/> where there are none.</summary>
internal delegate Task<IPAddress[]> Resolver(string host, CancellationToken cancellationToken);
