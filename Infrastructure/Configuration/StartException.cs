namespace Bellhop.Infrastructure.Configuration;

/// <summary>A process that cannot do its work as things are. Its user gets the message on one line and the exit code.</summary>
public sealed class StartException(int exitCode, string message, Exception? inner = null) : Exception(message, inner)
{
    public int ExitCode { get; } = exitCode;
}

/// <summary>What a process ends with. Beside 0 and 2 they are those of sysexits.h where it has one.</summary>
public static class ExitCodes
{
    public const int Done = 0;

    /// <summary>It was tried and did not work.</summary>
    public const int Failed = 1;

    /// <summary>The words or options were not understood.</summary>
    public const int Usage = 2;

    /// <summary>What was named does not exist.</summary>
    public const int NotFound = 3;

    /// <summary>It is not allowed, not valid, or in conflict with what is there.</summary>
    public const int Refused = 4;

    /// <summary>The database is away, the service is busy, or a port is taken: the same may work later.</summary>
    public const int TryAgain = 75;

    /// <summary>Settings, key ring or server are not as they must be; trying again does not help.</summary>
    public const int Configuration = 78;
}
