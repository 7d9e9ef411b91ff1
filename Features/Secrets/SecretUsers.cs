using Npgsql;

namespace Bellhop.Features.Secrets;

/// <summary>A feature whose configuration names secrets. Registered by that feature, which secrets do not know.</summary>
public interface ISecretUser
{
    /// <summary>Who names which of these secrets.</summary>
    Task<IEnumerable<SecretUse>> FindAsync(
        NpgsqlConnection connection,
        Guid projectId,
        string[] secrets,
        CancellationToken cancellationToken
    );
}

/// <param name="By">The folder of the API and the name in it: <c>connections/crm</c>.</param>
public sealed record SecretUse(string Secret, string By);

/// <summary>Asks every feature that may use secrets.</summary>
internal sealed class SecretUsers(IEnumerable<ISecretUser> users)
{
    /// <summary>The users of each of these secrets.</summary>
    public async Task<ILookup<string, string>> FindAsync(
        NpgsqlConnection connection,
        Guid projectId,
        string[] secrets,
        CancellationToken cancellationToken
    )
    {
        var found = new List<SecretUse>();
        foreach (var user in users)
        {
            found.AddRange(await user.FindAsync(connection, projectId, secrets, cancellationToken));
        }

        return found.ToLookup(use => use.Secret, use => use.By, StringComparer.Ordinal);
    }
}
