using System.CommandLine;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using Bellhop.Infrastructure.Telemetry;
using MediatR;
using Microsoft.Extensions.Hosting.Internal;

namespace Bellhop.Infrastructure.Cli;

/// <summary>One run of the program: what was typed, the settings, and a way to send requests to the handlers.</summary>
/// <remarks>
/// A request acts as <c>cli:&lt;os user&gt;</c> on the configured database, also while the service is stopped: the private
/// cluster is joined, or started for as long as the command runs. Results go to stdout, everything else to stderr.
/// </remarks>
public sealed class CliSession(ParseResult parsed, Composition composition)
{
    internal static readonly Option<bool> Json = new("--json") { Description = "print JSON" };

    internal static readonly Option<string?> Project = new("--project")
    {
        Description = "the project's name or id; left out: default, or the only one",
    };

    internal static readonly Option<string[]> Set = new("--set")
    {
        Description = "a setting, such as Listen=127.0.0.1:9000; may be repeated",
        Recursive = true,
    };

    public Composition Composition => composition;

    public IConfiguration Configuration { get; } = ConfigurationSources.Read(parsed.GetValue(Set) ?? []);

    /// <summary>The value of an option or argument.</summary>
    public T? Get<T>(Option<T> option) => parsed.GetValue(option);

    /// <inheritdoc cref="Get{T}(Option{T})"/>
    public T? Get<T>(Argument<T> argument) => parsed.GetValue(argument);

    /// <summary>The settings. Faults end the program with 78, all told at once.</summary>
    public Settings ReadSettings()
    {
        var (settings, faults) = new SettingsReader(Configuration).Read();
        return settings ?? throw new StartException(ExitCodes.Configuration, string.Join('\n', faults));
    }

    /// <summary>Opens the configured storage; a server that is away is waited for as long as said.</summary>
    public Task<Storage> OpenStorageAsync(Settings settings, TimeSpan patience, CancellationToken cancellationToken) =>
        Storage.OpenAsync(settings, composition.Settle, patience, Tell, cancellationToken);

    /// <summary>Sends a request to its handler on the configured database and prints what came of it.</summary>
    /// <param name="describe">The result as a person reads it; <c>--json</c> prints the whole instead.</param>
    /// <returns>The exit code.</returns>
    public Task<int> SendAsync<TResponse>(
        IRequest<Result<TResponse>> request,
        Func<TResponse, string> describe,
        CancellationToken cancellationToken
    ) => SendAsync(request, describe, _ => ExitCodes.Done, cancellationToken);

    /// <inheritdoc cref="SendAsync{TResponse}(IRequest{Result{TResponse}}, Func{TResponse, string}, CancellationToken)"/>
    /// <param name="exitCodeOf">Where an answer may be a bad one.</param>
    public Task<int> SendAsync<TResponse>(
        IRequest<Result<TResponse>> request,
        Func<TResponse, string> describe,
        Func<TResponse, int> exitCodeOf,
        CancellationToken cancellationToken
    ) => ActAsync(services => SendAsync(services, request, describe, exitCodeOf, cancellationToken), cancellationToken);

    /// <summary>Sends a request as often as whoever shows the answers asks for one; the first that is refused ends it.</summary>
    /// <returns>The exit code.</returns>
    public Task<int> WatchAsync<TResponse>(
        IRequest<Result<TResponse>> request,
        Func<TResponse, Func<Task<Result<TResponse>>>, Task> show,
        CancellationToken cancellationToken
    ) =>
        ActAsync(
            async services =>
            {
                var mediator = services.GetRequiredService<IMediator>();
                var first = await mediator.Send(request, cancellationToken);
                if (first.Problem is { } problem)
                {
                    return Refuse(problem);
                }

                await show(first.Unwrap(), () => mediator.Send(request, cancellationToken));
                return ExitCodes.Done;
            },
            cancellationToken
        );

    private async Task<int> ActAsync(Func<IServiceProvider, Task<int>> act, CancellationToken cancellationToken)
    {
        var settings = ReadSettings();
        await using var storage = await OpenStorageAsync(settings, TimeSpan.Zero, cancellationToken);
        var services = Services(settings).AddStorage(Task.FromResult(storage));
        await using var provider = services.BuildServiceProvider();
        await using var scope = provider.CreateAsyncScope();
        var isInProject = parsed.CommandResult.Command.Options.Contains(Project);
        var name = isInProject ? Get(Project) : null;
        var project = await composition.FindProject(storage.Databases.Main, name, cancellationToken);
        if (isInProject && project is null)
        {
            return Refuse(
                Problems.NotFound.Because($"There is no project {name ?? "default"}: name one by --project.")
            );
        }

        // what is about the installation as a whole is on record where whoever runs it looks first
        var identity = Identity.Internal(project ?? Guid.Empty, $"cli:{Environment.UserName}") with
        {
            Method = ProofMethod.Cli,
        };
        scope.ServiceProvider.GetRequiredService<Caller>().Become(identity);
        return await act(scope.ServiceProvider);
    }

    /// <summary>Sends a request whose handler needs neither database nor settings that are right.</summary>
    /// <param name="exitCodeOf">Where an answer may be a bad one.</param>
    public async Task<int> SendOfflineAsync<TResponse>(
        IRequest<Result<TResponse>> request,
        Func<TResponse, string> describe,
        Func<TResponse, int> exitCodeOf,
        CancellationToken cancellationToken
    )
    {
        var (settings, _) = new SettingsReader(Configuration).Read();
        var services = settings is null ? Services() : Services(settings);
        await using var provider = services.BuildServiceProvider();
        await using var scope = provider.CreateAsyncScope();
        return await SendAsync(scope.ServiceProvider, request, describe, exitCodeOf, cancellationToken);
    }

    /// <summary>Prints a result: as JSON where that was asked for, else as text.</summary>
    public void Print<TResponse>(TResponse response, Func<TResponse, string> describe)
    {
        var text = Get(Json) ? JsonSerializer.Serialize(response, JsonRules.Options) : describe(response);
        if (text.Length > 0)
        {
            Console.Out.WriteLine(text);
        }
    }

    /// <summary>A line for whoever watches; never part of the result.</summary>
    public void Tell(string line) => Console.Error.WriteLine(line);

    private IServiceCollection Services() =>
        new ServiceCollection()
            .AddSingleton(Configuration)
            .AddSingleton(TimeProvider.System)
            .AddSingleton<IHostApplicationLifetime, ApplicationLifetime>() // of what a command runs as the service would
            .AddMediation()
            .AddPermissions()
            .AddLogging(logging => logging.AddWarnings());

    private IServiceCollection Services(Settings settings)
    {
        var services = Services().AddSingleton(settings);
        composition.AddFeatures(services, settings);
        return services;
    }

    private async Task<int> SendAsync<TResponse>(
        IServiceProvider services,
        IRequest<Result<TResponse>> request,
        Func<TResponse, string> describe,
        Func<TResponse, int> exitCodeOf,
        CancellationToken cancellationToken
    )
    {
        var result = await services.GetRequiredService<IMediator>().Send(request, cancellationToken);
        if (result.Problem is { } problem)
        {
            return Refuse(problem);
        }

        var response = result.Unwrap();
        Print(response, describe);
        return exitCodeOf(response);
    }

    /// <summary>Says what is wrong; answers the exit code for it.</summary>
    public int Refuse(Problem problem)
    {
        Tell($"{problem.Kind.Code}: {problem.Detail}");
        foreach (var error in problem.Errors)
        {
            Tell($"  {error.Pointer ?? error.Parameter ?? error.Header}: {error.Message}");
        }

        return problem.Kind.Status switch
        {
            404 => ExitCodes.NotFound,
            429 or 503 => ExitCodes.TryAgain,
            >= 500 => ExitCodes.Failed,
            _ => ExitCodes.Refused,
        };
    }
}
