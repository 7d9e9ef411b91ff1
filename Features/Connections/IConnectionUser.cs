using Npgsql;

namespace Bellhop.Features.Connections;

/// <summary>A feature whose configuration names connections. Registered by that feature, which connections do not know.</summary>
public interface IConnectionUser
{
    /// <summary>Who names it: the folder of the API and the name in it, <c>automations/triage</c>.</summary>
    Task<IEnumerable<string>> FindAsync(
        NpgsqlConnection connection,
        Guid projectId,
        string name,
        CancellationToken cancellationToken
    );
}
