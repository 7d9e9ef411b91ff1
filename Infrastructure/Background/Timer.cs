using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using MediatR;

namespace Bellhop.Infrastructure.Background;

/// <summary>Marks the clock triggers of slices, so that they are found and hosted.</summary>
public interface IBeat : IHostedService;

/// <summary>Sends a slice's command on a beat. It holds no logic: what runs, and what a test calls, is the handler.</summary>
/// <remarks>
/// The first beat is put off by a random part of the interval, so that replicas started together do not beat together. A failed
/// beat is logged and the next one comes as planned. Where beats cost more than a tenth of their interval they come more seldom, five
/// seconds apart at most.
/// </remarks>
public abstract partial class Timer<TCommand, TReport>(IServiceScopeFactory scopes, TimeProvider clock, ILogger logger)
    : BackgroundService,
        IBeat
    where TCommand : IRequest<Result<TReport>>, new()
{
    private readonly Rest _rest = new(times: 10, shortest: TimeSpan.Zero, longest: TimeSpan.FromSeconds(5));

    protected abstract TimeSpan Interval { get; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Delay(Interval * Random.Shared.NextDouble(), clock, stoppingToken);
        while (true)
        {
            var began = clock.GetTimestamp();
            var rest = TimeSpan.Zero;
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await scope.ServiceProvider.GetRequiredService<IMediator>().Send(new TCommand(), stoppingToken);
                rest = _rest.After(clock.GetElapsedTime(began));
            }
            catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
            {
                BeatSkipped(logger, typeof(TCommand).DeclaringType!.Name, exception.Message);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                BeatFailed(logger, exception, typeof(TCommand).DeclaringType!.Name);
            }

            var left = Interval - clock.GetElapsedTime(began);
            await Task.Delay(rest > left ? rest : left, clock, stoppingToken);
        }
    }

    [LoggerMessage(LogLevel.Error, "{Slice} failed; the next beat runs as planned.")]
    private static partial void BeatFailed(ILogger logger, Exception exception, string slice);

    [LoggerMessage(LogLevel.Warning, "{Slice} could not reach the database ({Reason}); the next beat runs as planned.")]
    private static partial void BeatSkipped(ILogger logger, string slice, string reason);
}
