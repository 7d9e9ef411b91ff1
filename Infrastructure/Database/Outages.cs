using Npgsql;

namespace Bellhop.Infrastructure.Database;

/// <summary>What is done about a database that does not answer, and about statements that were in each other's way.</summary>
public static class Outages
{
    /// <summary>After so long a caller is told that the database cannot be reached.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private const int MaxTries = 5;

    /// <summary>Waits for what asks the database, no longer than <see cref="Patience"/>; then it is an outage, and goes on alone.</summary>
    /// <remarks>
    /// A statement has a timeout of its own, but one that is given up asks the server to cancel it and waits for that without bound: where a
    /// server stands still, its callers did as long.
    /// </remarks>
    public static async Task<T> WaitPatientlyAsync<T>(this Task<T> asking, CancellationToken cancellationToken)
    {
        try
        {
            return await asking.WaitAsync(Patience, cancellationToken);
        }
        catch (TimeoutException exception)
        {
            if (asking.IsCompleted)
            {
                return await asking; // at this moment, or with a timeout of its own
            }

            throw new NpgsqlException("The database has not answered for ten seconds.", exception);
        }
    }

    /// <summary>Does it again, at most five times in all and a little later each, while it loses to another statement.</summary>
    /// <param name="attempt">Leaves nothing behind when it fails, so it may be repeated.</param>
    public static async Task<T> RepeatInContentionAsync<T>(Func<Task<T>> attempt)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await attempt();
            }
            catch (PostgresException exception) when (ExpectedErrors.IsContention(exception) && tries < MaxTries)
            {
                await Task.Delay(Random.Shared.Next(1, 10 * tries));
            }
        }
    }
}
