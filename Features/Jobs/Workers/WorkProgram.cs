using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>The program that a worker runs for a job: what it is given, and what its end says.</summary>
internal static class WorkProgram
{
    private const int Snooze = 75; // EX_TEMPFAIL of sysexits.h
    private const int MaxResultBytes = 256 * 1024;

    /// <summary>With this process's environment, without what is Bellhop's.</summary>
    public static ProgramStart StartOf(IReadOnlyList<string> command, WorkView work, Action<string> onErrors) =>
        new(
            command[0],
            [.. command.Skip(1)],
            EnvironmentOf(work),
            Environment.CurrentDirectory,
            Encoding.UTF8.GetBytes(work.Args.GetRawText()),
            OnErrors: onErrors
        )
        {
            MaxOutputBytes = 2 * MaxResultBytes,
        };

    public static EndDocument Judge(WorkView work, ProgramEnd end)
    {
        switch (end.ExitCode)
        {
            case 0:
                return new EndDocument(work.Id, work.Lease, "succeeded", ResultOf(end.Output));
            case Snooze:
                return new EndDocument(work.Id, work.Lease, "snoozed", DelaySeconds: 60);
            default:
                var said = end.Errors.ToText(1_000).Trim();
                var code = string.Create(CultureInfo.InvariantCulture, $"exit_{end.ExitCode}");
                var message = $"The command ended with exit code {end.ExitCode}: {said}".TrimEnd(' ', ':');
                return new EndDocument(work.Id, work.Lease, "failed", Error: new EndError(code, message));
        }
    }

    private static Dictionary<string, string> EnvironmentOf(WorkView work)
    {
        string[] ours = ["BELLHOP_", "Bellhop__", "ConnectionStrings__"];
        var environment = Environment
            .GetEnvironmentVariables()
            .Cast<DictionaryEntry>()
            .Select(pair => (Name: (string)pair.Key, Value: (string?)pair.Value ?? ""))
            .Where(pair => !ours.Any(prefix => pair.Name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
            .ToDictionary(pair => pair.Name, pair => pair.Value, StringComparer.Ordinal);
        environment["BELLHOP_JOB_ID"] = $"{work.Id}";
        environment["BELLHOP_KIND"] = work.Kind;
        environment["BELLHOP_ATTEMPT"] = work.Attempt.ToString(CultureInfo.InvariantCulture);
        environment["BELLHOP_CLAIM_NO"] = work.Fence.ToString(CultureInfo.InvariantCulture);
        return environment;
    }

    private static JsonElement? ResultOf(ProgramOutput output)
    {
        if (output.Length is 0 or > MaxResultBytes)
        {
            return null;
        }

        try
        {
            return JsonElement.Parse(
                output.ToText(2 * MaxResultBytes),
                new JsonDocumentOptions { MaxDepth = JsonRules.MaxDepth }
            );
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
