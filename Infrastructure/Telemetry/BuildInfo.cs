using System.Reflection;

namespace Bellhop.Infrastructure.Telemetry;

/// <summary>Which build this is.</summary>
public static class BuildInfo
{
    public static readonly string Version = typeof(BuildInfo)
        .Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
        .InformationalVersion;
}
