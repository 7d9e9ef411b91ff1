namespace Bellhop.Infrastructure.Configuration;

/// <summary>Where settings come from, the later ones winning: appsettings.json, environment, command line.</summary>
public static class ConfigurationSources
{
    /// <param name="assignments"><c>Key=value</c> as typed: of the section Bellhop, or with a section of its own.</param>
    /// <exception cref="StartException">A file or an assignment that cannot be read.</exception>
    public static IConfiguration Read(IReadOnlyList<string> assignments)
    {
        try
        {
            return new ConfigurationBuilder()
                .SetBasePath(AppContext.BaseDirectory)
                .AddJsonFile("appsettings.json", optional: true, reloadOnChange: false)
                .AddEnvironmentVariables()
                .AddInMemoryCollection(assignments.Select(Split))
                .Build();
        }
        catch (Exception exception) when (exception is InvalidDataException or FormatException)
        {
            throw new StartException(ExitCodes.Configuration, exception.GetBaseException().Message, exception);
        }
    }

    private static KeyValuePair<string, string?> Split(string assignment)
    {
        var at = assignment.IndexOf('=', StringComparison.Ordinal);
        if (at < 1)
        {
            throw new StartException(ExitCodes.Usage, $"--set {assignment}: write it as Key=value.");
        }

        var key = assignment[..at];
        var isWhole =
            key.StartsWith($"{Settings.Section}:", StringComparison.OrdinalIgnoreCase)
            || key.StartsWith("ConnectionStrings:", StringComparison.OrdinalIgnoreCase);
        return KeyValuePair.Create(isWhole ? key : $"{Settings.Section}:{key}", (string?)assignment[(at + 1)..]);
    }
}
