using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Jobs;

/// <summary>Runs the commands that the operator allows as work of a job.</summary>
/// <remarks>
/// At least once: a command may be run again after this process died under it, with the same <c>BELLHOP_JOB_ID</c> and a higher
/// <c>BELLHOP_CLAIM_NO</c>. It is run as the service's user, without a shell, in an empty directory that is removed afterwards; of
/// this process's environment it gets nothing. Exit code 0 is success; every other one is a failed attempt, to be tried again as
/// the retry policy says. When its job ends before it, so do the command and its children.
/// </remarks>
public sealed partial class ShellRuns(Settings settings, TimeProvider clock, ILogger<ShellRuns> logger)
{
    private const int TemporaryFailure = 75; // EX_TEMPFAIL of sysexits.h
    private const int MaxResultLength = 256 * 1024;
    private const int MaxTold = 1_000;

    /// <param name="projectId">Whose job it is.</param>
    /// <param name="call">A sound one.</param>
    /// <param name="job">What the command is told of its job.</param>
    /// <param name="log">Takes what the command writes, line by line: standard output as <c>info</c>, standard error as <c>warning</c>.</param>
    /// <param name="cancellationToken">Ends the command.</param>
    /// <returns>Its result is <c>{"exit_code","stdout","stderr"}</c>; of long outputs the middle is left out.</returns>
    public async Task<JobOutcome> RunAsync(
        Guid projectId,
        ShellCall call,
        (Guid Id, short Attempt, long ClaimNo) job,
        JobLog log,
        CancellationToken cancellationToken
    )
    {
        if (!settings.Shell.TryGetValue(call.Command!, out var command) || !command.IsOpenTo(projectId))
        {
            return Refuse("unknown_command", $"The operator allows this project no command {call.Command}.");
        }

        if (call.Args?.Count > 0 && !command.AllowsArguments)
        {
            return Refuse("args_not_allowed", $"The operator allows no args for the command {call.Command}.");
        }

        if (!File.Exists(command.Program))
        {
            return Refuse("not_started", $"The program of the command {call.Command} is not on this host.");
        }

        Runs(logger, job.Id, projectId, call.Command!);
        var directory = Path.Combine(settings.StateDirectory, "shell", $"{job.Id}-{job.ClaimNo}");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(call.TimeoutSeconds), clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            Directory.CreateDirectory(
                directory,
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            );
            var start = new ProgramStart(
                command.Program,
                [.. command.Arguments, .. call.Args ?? []],
                EnvironmentOf(job),
                directory,
                call.Input,
                line => log.Write(JobLogLevel.Info, line),
                line => log.Write(JobLogLevel.Warning, line)
            );
            return Judge(call.Command!, await ChildProgram.RunAsync(start, clock, either.Token));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new JobOutcome.Failed(
                "timeout",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{call.Command} was not done within {call.TimeoutSeconds} s, and was ended."
                )
            );
        }
        catch (Win32Exception exception)
        {
            return new JobOutcome.Failed("not_started", $"{call.Command} could not be started: {exception.Message}");
        }
        finally
        {
            Remove(directory);
        }
    }

    private static Dictionary<string, string> EnvironmentOf((Guid Id, short Attempt, long ClaimNo) job) =>
        new()
        {
            ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ["LANG"] = "C.UTF-8",
            ["BELLHOP_JOB_ID"] = $"{job.Id}",
            ["BELLHOP_ATTEMPT"] = job.Attempt.ToString(CultureInfo.InvariantCulture),
            ["BELLHOP_CLAIM_NO"] = job.ClaimNo.ToString(CultureInfo.InvariantCulture),
        };

    private static JobOutcome Judge(string command, ProgramEnd end)
    {
        if (end.ExitCode == 0)
        {
            return new JobOutcome.Succeeded(Write(end));
        }

        var said = end.Errors.ToText(MaxTold).Trim();
        return new JobOutcome.Failed(
            end.ExitCode == TemporaryFailure ? "temporary_failure" : "exit_code",
            $"{command} ended with exit code {end.ExitCode}: {(said.Length > 0 ? said : end.Output.ToText(MaxTold).Trim())}".TrimEnd(
                ' ',
                ':'
            )
        );
    }

    // characters that JSON escapes take up to six times their bytes
    private static string Write(ProgramEnd end)
    {
        for (var maxBytes = ProgramOutput.MaxBytes; ; maxBytes /= 2)
        {
            var result = JsonSerializer.Serialize(
                new
                {
                    exit_code = end.ExitCode,
                    stdout = end.Output.ToText(maxBytes),
                    stderr = end.Errors.ToText(maxBytes),
                },
                JsonRules.Options
            );
            if (result.Length <= MaxResultLength)
            {
                return result;
            }
        }
    }

    private void Remove(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // the command has removed it itself, or it was never made
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            NotRemoved(logger, directory, exception.Message);
        }
    }

    private static JobOutcome.Failed Refuse(string code, string message) => new(code, message, Retryable: false);

    [LoggerMessage(LogLevel.Information, "Job {JobId} of project {ProjectId} runs the command {Command}.")]
    private static partial void Runs(ILogger logger, Guid jobId, Guid projectId, string command);

    [LoggerMessage(LogLevel.Warning, "{Directory} of a command that has ended could not be removed ({Reason}).")]
    private static partial void NotRemoved(ILogger logger, string directory, string reason);
}
