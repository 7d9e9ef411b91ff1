using System.Net;
using System.Net.Sockets;

namespace Bellhop.Infrastructure.Outgoing;

/// <summary>A host whose addresses were resolved once and may all be connected to.</summary>
/// <param name="Name">As it was given: what a certificate must be valid for.</param>
/// <param name="Addresses">To be connected to instead of the name, which might lead elsewhere the next time it is resolved.</param>
/// <param name="AllowsPlainText">Whether all addresses lie in networks the operator allows.</param>
public sealed record CheckedHost(string Name, int Port, IReadOnlyList<IPAddress> Addresses, bool AllowsPlainText);

/// <summary>A host that may be connected to, or the code of why not.</summary>
public readonly record struct HostCheck(CheckedHost? Host, string? ErrorCode);

/// <summary>A connected socket, which the taker closes, or the code of why there is none.</summary>
public readonly record struct Dialed(Socket? Socket, string? ErrorCode);
