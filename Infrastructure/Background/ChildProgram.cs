using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Bellhop.Infrastructure.Background;

/// <summary>How a program is run.</summary>
/// <param name="Program">An absolute path.</param>
/// <param name="Environment">All of its environment: nothing of this process's own is added.</param>
/// <param name="Input">What it reads on its standard input, which then ends.</param>
/// <param name="OnOutput">Is told each line of its standard output while it runs, from another thread.</param>
/// <param name="OnErrors">The same of its standard error.</param>
public sealed record ProgramStart(
    string Program,
    IReadOnlyList<string> Arguments,
    IReadOnlyDictionary<string, string> Environment,
    string Directory,
    ReadOnlyMemory<byte> Input,
    Action<string>? OnOutput = null,
    Action<string>? OnErrors = null
);

/// <summary>How it ended.</summary>
/// <param name="ExitCode">128 and the signal's number where a signal ended it.</param>
public sealed record ProgramEnd(int ExitCode, ProgramOutput Output, ProgramOutput Errors);

/// <summary>Runs another program to its end, never through a shell.</summary>
/// <remarks>
/// The program is in a process group of its own, and nothing of that group outlives it. When it is cancelled the group is asked to
/// end (SIGTERM) and after five seconds made to (SIGKILL). It inherits neither environment nor open files; from the first one on,
/// programs of the same user cannot look into this process; SIGPIPE is ignored, as under systemd. What it writes is read to the end
/// and held in bounded memory. Processes that left the group, as daemons do, are not waited for.
/// </remarks>
public static class ChildProgram
{
    private const int SigKill = 9;
    private const int SigTerm = 15;
    private const int SetDumpable = 4; // PR_SET_DUMPABLE
    private const nint CloseRange = 436; // the same on every architecture
    private const nint CloseOnExec = 4; // CLOSE_RANGE_CLOEXEC
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1);

    /// <exception cref="Win32Exception">It could not be started.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled, and has ended.</exception>
    public static async Task<ProgramEnd> RunAsync(
        ProgramStart start,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        KeepToOurselves();
        using var process = Process.Start(InfoOf(start))!;
        var (output, errors) = (new ProgramOutput(), new ProgramOutput());
        using var reading = new CancellationTokenSource();
        var read = Task.WhenAll(
            output.ReadAsync(process.StandardOutput.BaseStream, start.OnOutput, reading.Token),
            errors.ReadAsync(process.StandardError.BaseStream, start.OnErrors, reading.Token)
        );
        var written = WriteAsync(process.StandardInput.BaseStream, start.Input, reading.Token);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            await EndAsync(process, clock);
            throw;
        }
        finally
        {
            _ = Signal(-process.Id, SigKill); // what it left behind in its group
            // who left the group may hold the pipes open
            await Task.WhenAny(Task.WhenAll(read, written), Task.Delay(LastWords, clock, CancellationToken.None));
            await reading.CancelAsync();
            await Task.WhenAll(read, written);
        }

        return new ProgramEnd(process.ExitCode, output, errors);
    }

    private static ProcessStartInfo InfoOf(ProgramStart start)
    {
        // it leads a session and a group, and then replaces itself by the program
        var info = new ProcessStartInfo("setsid", [start.Program, .. start.Arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = start.Directory,
        };
        info.Environment.Clear();
        foreach (var (name, value) in start.Environment)
        {
            info.Environment[name] = value;
        }

        return info;
    }

    private static async Task EndAsync(Process process, TimeProvider clock)
    {
        Signal(process, SigTerm);
        var ended = process.WaitForExitAsync(CancellationToken.None);
        if (await Task.WhenAny(ended, Task.Delay(Grace, clock, CancellationToken.None)) != ended)
        {
            Signal(process, SigKill);
        }

        await ended;
    }

    // before it leads a group there is none to tell
    private static void Signal(Process process, int signal)
    {
        if (Signal(-process.Id, signal) != 0 && !process.HasExited)
        {
            _ = Signal(process.Id, signal);
        }
    }

    private static async Task WriteAsync(Stream stream, ReadOnlyMemory<byte> input, CancellationToken cancellationToken)
    {
        try
        {
            await using (stream)
            {
                await stream.WriteAsync(input, cancellationToken);
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // a program need not read what it is given
        }
    }

    /// <summary>Leaves a program nothing of this process: neither what is in its memory, nor what it has open.</summary>
    private static void KeepToOurselves()
    {
        _ = Control(SetDumpable, 0, 0, 0, 0); // or one of the same user reads our environment and memory in /proc
        _ = SystemCall(CloseRange, 3, int.MaxValue, CloseOnExec); // what libraries and our own parent left open
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Signal(int process, int signal);

    [DllImport("libc", EntryPoint = "prctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(int option, nint first, nint second, nint third, nint fourth);

    [DllImport("libc", EntryPoint = "syscall", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint SystemCall(nint number, nint first, nint last, nint flags);
}
