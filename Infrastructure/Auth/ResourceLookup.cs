using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using Npgsql;

namespace Bellhop.Infrastructure.Auth;

/// <summary>How to find what conditions look at of one kind of things. Registered by the feature that keeps them.</summary>
/// <param name="Kind">Their folder in the API: <c>webhook-endpoints</c>.</param>
/// <param name="Find">
/// Selects <c>queue</c>, <c>tags</c> and <c>owner_id</c>, null for what they do not have, of the one whose id is <c>@Id</c> or
/// whose name is <c>@Name</c> in the project <c>@ProjectId</c>.
/// </param>
public sealed record ResourceLookup(string Kind, string Find)
{
    /// <summary>Null: there is none.</summary>
    public async Task<Traced?> FindAsync(
        NpgsqlConnection connection,
        Guid projectId,
        NameOrId which,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            ProjectId = projectId,
            which.Id,
            which.Name,
        };
        var row = await connection.QuerySingleOrDefaultAsync<Row>(Find.With(arguments, cancellationToken));
        return row is null
            ? null
            : new Traced(row.Queue, row.Tags, row.Tags is null ? null : row.OwnerId ?? Guid.Empty);
    }

    public override string ToString() => Kind;

    // not by constructor: Dapper cannot give an array to one
    private sealed record Row
    {
        public string? Queue { get; init; }

        public string[]? Tags { get; init; }

        public Guid? OwnerId { get; init; }
    }
}
