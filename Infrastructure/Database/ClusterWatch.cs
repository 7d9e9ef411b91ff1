using Npgsql;

namespace Bellhop.Infrastructure.Database;

/// <summary>Starts the private PostgreSQL again when it ended under us. A configured server is its operator's to watch.</summary>
public sealed partial class ClusterWatch(Storage storage, TimeProvider clock, ILogger<ClusterWatch> logger)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (storage.Cluster is not { } cluster)
        {
            return;
        }

        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                if (cluster.HasServerEnded)
                {
                    Ended(logger);
                    await Task.Run(cluster.StartServer, stoppingToken);
                }
            }
            catch (Exception exception)
                when (exception
                        is IOException
                            or InvalidOperationException
                            or UnauthorizedAccessException
                            or NpgsqlException
                )
            {
                StartFailed(logger, exception.Message);
            }
        }
    }

    [LoggerMessage(LogLevel.Error, "The private database ended; starting it again.")]
    private static partial void Ended(ILogger logger);

    [LoggerMessage(LogLevel.Error, "The private database does not start: {Reason}")]
    private static partial void StartFailed(ILogger logger, string reason);
}
