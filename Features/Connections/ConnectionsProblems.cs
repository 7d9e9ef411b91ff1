using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Connections;

/// <summary>The failures that only connections know.</summary>
public static class ConnectionsProblems
{
    public static readonly ProblemCode InUse = new(409, "connection_in_use", "The connection is in use");
}
