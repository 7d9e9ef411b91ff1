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

    /// <summary>The same for what is not to be done any more when its caller was told that it cannot be.</summary>
    /// <remarks>It is canceled then; only what is being committed at that very moment may stay.</remarks>
    public static async Task<T> TryPatientlyAsync<T>(
        Func<CancellationToken, Task<T>> ask,
        CancellationToken cancellationToken
    )
    {
        var givenUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var asking = ask(givenUp.Token);
        try
        {
            return await asking.WaitPatientlyAsync(cancellationToken);
        }
        finally
        {
            if (asking.IsCompleted)
            {
                givenUp.Dispose();
            }
            else
            {
                _ = GiveUpAsync(asking, givenUp);
            }
        }
    }

    private static async Task GiveUpAsync(Task asking, CancellationTokenSource givenUp)
    {
        using (givenUp)
        {
            await givenUp.CancelAsync(); // on another thread: to cancel may take as long as to ask
            await asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
