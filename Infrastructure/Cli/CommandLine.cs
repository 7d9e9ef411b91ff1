using System.CommandLine;
using System.Reflection;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Npgsql;

namespace Bellhop.Infrastructure.Cli;

/// <summary>Understands what was typed and runs the verb that it names.</summary>
/// <remarks>Expected faults are one line on stderr and an exit code; only a bug shows its stack.</remarks>
public static class CommandLine
{
    public static async Task<int> RunAsync(string[] arguments, Composition composition)
    {
        var root = Build(composition);
        // a value may begin with @: there are no response files
        var parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
            {
                await Console.Error.WriteLineAsync(error.Message);
            }

            await Console.Error.WriteLineAsync("Try --help.");
            return ExitCodes.Usage;
        }

        // signals are the verb's own business
        return await parsed.InvokeAsync(
            new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }
        );
    }

    private static RootCommand Build(Composition composition)
    {
        var root = new RootCommand("Bellhop, a back-office automation service.") { CliSession.Set };
        var verbs = Assembly
            .GetExecutingAssembly()
            .GetTypes()
            .Where(type => type.IsSubclassOf(typeof(CliVerb)) && !type.IsAbstract)
            .Select(type => (CliVerb)Activator.CreateInstance(type)!)
            .OrderBy(verb => verb.Words, StringComparer.Ordinal);
        foreach (var verb in verbs)
        {
            Command command = root;
            foreach (var word in verb.Words.Split(' '))
            {
                command = FindOrAdd(command, word);
            }

            Fill(command, verb, composition);
            if (verb.IsDefault)
            {
                Fill(root, verb, composition);
                root.Description += $" Without a command: {verb.Words}.";
            }
        }

        foreach (var group in root.Subcommands.Where(command => command.Subcommands.Count > 0))
        {
            group.Description = string.Join(", ", group.Subcommands.Select(command => command.Name));
        }

        return root;
    }

    private static Command FindOrAdd(Command parent, string word)
    {
        var found = parent.Subcommands.FirstOrDefault(command => command.Name == word);
        if (found is null)
        {
            found = new Command(word);
            parent.Add(found);
        }

        return found;
    }

    private static void Fill(Command command, CliVerb verb, Composition composition)
    {
        command.Description = verb.IsDefault && command is RootCommand ? command.Description : verb.Summary;
        foreach (var symbol in verb.Symbols)
        {
            if (symbol is Option option)
            {
                command.Add(option);
            }
            else
            {
                command.Add((Argument)symbol);
            }
        }

        command.Add(CliSession.Json);
        if (verb.TakesProject)
        {
            command.Add(CliSession.Project);
        }

        command.SetAction((parsed, cancellationToken) => RunAsync(verb, parsed, composition, cancellationToken));
    }

    private static async Task<int> RunAsync(
        CliVerb verb,
        ParseResult parsed,
        Composition composition,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await verb.RunAsync(new CliSession(parsed, composition), cancellationToken);
        }
        catch (Exception exception) when (ExitCodeOf(exception) is { } code)
        {
            await Console.Error.WriteLineAsync(exception.Message);
            return code;
        }
    }

    private static int? ExitCodeOf(Exception exception) =>
        exception switch
        {
            StartException start => start.ExitCode,
            KeyRingException => ExitCodes.Configuration,
            // a newer schema, or a role that is missing; a script that fails is a bug and shows itself
            MigrationException
            {
                InnerException: null or PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege }
            } => ExitCodes.Configuration,
            MigrationException => ExitCodes.Failed,
            _ when ExpectedErrors.IsOutage(exception) => ExitCodes.TryAgain,
            _ => null,
        };
}
