using System.Globalization;
using System.Text.RegularExpressions;

namespace Bellhop.Infrastructure.Configuration;

/// <summary>A command of this host that jobs may run: <c>Shell:Commands:backup=/usr/local/bin/backup --full</c>.</summary>
/// <param name="Program">An absolute path.</param>
/// <param name="Arguments">What is always passed, before what a job adds.</param>
/// <param name="AllowsArguments">Whether a job may add any.</param>
/// <param name="Projects">Whose jobs may run it; empty: those of every project.</param>
public sealed partial record ShellCommand(
    string Program,
    IReadOnlyList<string> Arguments,
    bool AllowsArguments,
    IReadOnlyList<Guid> Projects
)
{
    /// <summary>Where the commands stand, each below this by its name.</summary>
    public const string Place = "Shell:Commands";

    /// <summary>Whether jobs of the project may run it.</summary>
    public bool IsOpenTo(Guid projectId) => Projects.Count == 0 || Projects.Contains(projectId);

    /// <summary>One of the commands; null and the faults where it is none.</summary>
    internal static ShellCommand? Read(IConfigurationSection section, List<string> faults)
    {
        var key = $"{Settings.Section}:{Place}:{section.Key}";
        var before = faults.Count;
        if (!Name().IsMatch(section.Key))
        {
            faults.Add($"{key}: a command's name is 1 to 63 letters, digits, hyphens and underscores.");
        }

        string[] words = section.Value is { Length: > 0 } line
            ? line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            : [.. Numbered(section)];
        if (words.Length == 0 || !Path.IsPathRooted(words[0]))
        {
            faults.Add(
                $"{key} must be an absolute path, maybe followed by arguments: one text parted by spaces, or {key}:0, {key}:1, …"
            );
        }

        var allowsArguments = false;
        if (section["AllowArgs"] is { } allow && !bool.TryParse(allow, out allowsArguments))
        {
            faults.Add($"{key}:AllowArgs must be true or false.");
        }

        var projects = ReadProjects(section.GetSection("Projects"), $"{key}:Projects", faults);
        foreach (var child in section.GetChildren().Where(child => !IsKnown(child.Key)))
        {
            faults.Add($"{key}:{child.Key} is not a setting; known are AllowArgs, Projects.");
        }

        return faults.Count == before ? new ShellCommand(words[0], words[1..], allowsArguments, projects) : null;
    }

    private static Guid[] ReadProjects(IConfigurationSection section, string key, List<string> faults)
    {
        var texts = section.Value is { } list
            ? list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            : [.. Numbered(section)];
        var ids = new List<Guid>();
        foreach (var text in texts)
        {
            if (Guid.TryParseExact(text, "D", out var id))
            {
                ids.Add(id);
            }
            else
            {
                faults.Add($"{key}: {text} is no project's id; a name could be another project's tomorrow.");
            }
        }

        // or a list that was meant to close it would open it
        if (section.Exists() && texts.Length == 0)
        {
            faults.Add($"{key} names no project; leave it out where every project may run the command.");
        }

        return [.. ids];
    }

    private static IEnumerable<string> Numbered(IConfigurationSection section) =>
        section
            .GetChildren()
            .Where(child => IsNumber(child.Key))
            .OrderBy(child => int.Parse(child.Key, CultureInfo.InvariantCulture))
            .Select(child => child.Value ?? "");

    private static bool IsKnown(string key) =>
        IsNumber(key)
        || key.Equals("AllowArgs", StringComparison.OrdinalIgnoreCase)
        || key.Equals("Projects", StringComparison.OrdinalIgnoreCase);

    private static bool IsNumber(string key) =>
        int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out _);

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,63}\z")]
    private static partial Regex Name();
}
