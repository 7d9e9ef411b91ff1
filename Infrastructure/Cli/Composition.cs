using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Npgsql;

namespace Bellhop.Infrastructure.Cli;

/// <summary>What the program is made of, told to the command line, which knows no feature.</summary>
public sealed record Composition
{
    /// <summary>Registers what handlers need, without anything that runs by itself being started.</summary>
    public required Action<IServiceCollection, Settings> AddFeatures { get; init; }

    /// <summary>The service on its storage, ready to be started once that is open.</summary>
    public required Func<Settings, Task<Storage>, WebApplication> BuildService { get; init; }

    /// <summary>Puts into a database what each has from the start. Runs as owner, under the migration lock.</summary>
    public required Func<NpgsqlConnection, CancellationToken, Task> Settle { get; init; }

    /// <summary>The id of the project with that name or id; without one, of that which is meant where none is named.</summary>
    public required Func<NpgsqlDataSource, string?, CancellationToken, Task<Guid?>> FindProject { get; init; }
}
