using System.Diagnostics;
using System.Threading.Channels;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Webhooks;

/// <summary>Sends one endpoint's due deliveries for as long as there are some, as many at once as the endpoint takes.</summary>
/// <remarks>
/// Three loops and no barrier between them: one takes, some send, one writes outcomes, whatever has arrived in one statement. It
/// ends when nothing has been due for a quarter of a second and everything is written; when others have waited for a slot for
/// five seconds; when its endpoint was changed; and when the process stops. What it took and did not send it gives back.
/// </remarks>
internal sealed class Sender(
    DeliveryLedger ledger,
    OutgoingClient client,
    TimeProvider clock,
    SenderPresence presence,
    ClaimedJob job,
    SendingEndpoint endpoint
)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(5);
    private static readonly ActivitySource Activities = new("Bellhop.Webhooks");

    // written by the taking loop, read by the sending ones
    private readonly Channel<TakenDelivery> _queue = Channel.CreateUnbounded<TakenDelivery>(
        new UnboundedChannelOptions { SingleWriter = true }
    );

    // written by the sending loops, read by the one that writes outcomes
    private readonly Channel<Attempt> _attempts = Channel.CreateUnbounded<Attempt>(
        new UnboundedChannelOptions { SingleReader = true }
    );

    // taken and not yet written: raised by the taking loop, lowered by the writing one
    private int _open;

    // whether the last taking left something behind: written by the taking loop, read by the sending ones
    private volatile bool _hasMore;

    /// <summary>Sends until there is a reason to end; then everything that was begun is written.</summary>
    /// <param name="stopping">Asks to begin nothing new.</param>
    /// <param name="cancellationToken">Gives up what is under way; its outcome stays unknown.</param>
    public async Task RunAsync(CancellationToken stopping, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var sending = Task.WhenAll(
            Enumerable.Range(0, endpoint.Concurrency).Select(_ => WatchAsync(() => SendAllAsync(end.Token), end))
        );
        var writing = WatchAsync(() => WriteAllAsync(cancellationToken), end);
        try
        {
            await TakeAllAsync(stopping, end.Token);
        }
        finally
        {
            _queue.Writer.Complete();
            await GiveBackAsync();
            try
            {
                await sending;
            }
            finally
            {
                _attempts.Writer.Complete();
                await writing;
            }
        }
    }

    private async Task TakeAllAsync(CancellationToken stopping, CancellationToken cancellationToken)
    {
        var turn = clock.GetTimestamp();
        while (!stopping.IsCancellationRequested)
        {
            if (clock.GetElapsedTime(turn) > Turn)
            {
                if (!await ledger.MayGoOnAsync(job, endpoint, cancellationToken))
                {
                    return;
                }

                turn = clock.GetTimestamp();
            }

            if (_queue.Reader.Count <= DeliveryLedger.Batch / 2 && await TakeAsync(cancellationToken))
            {
                continue;
            }

            var isWoken = await presence.WaitAsync(Patience, cancellationToken);
            if (!isWoken && Volatile.Read(ref _open) == 0)
            {
                return;
            }
        }
    }

    /// <summary>Answers whether there may be more.</summary>
    private async Task<bool> TakeAsync(CancellationToken cancellationToken)
    {
        var taken = await ledger.TakeAsync(job, endpoint.Id, cancellationToken);
        _hasMore = taken.Count == DeliveryLedger.Batch;
        Interlocked.Add(ref _open, taken.Count);
        foreach (var delivery in taken)
        {
            _queue.Writer.TryWrite(delivery);
        }

        return _hasMore;
    }

    private async Task SendAllAsync(CancellationToken cancellationToken)
    {
        Activity.Current = null; // each delivery goes on with its event's trace, not with the job's
        await foreach (var delivery in _queue.Reader.ReadAllAsync(cancellationToken))
        {
            if (_hasMore && _queue.Reader.Count <= DeliveryLedger.Batch / 2)
            {
                presence.Wake();
            }

            _attempts.Writer.TryWrite(await SendAsync(delivery, cancellationToken));
        }
    }

    private async Task<Attempt> SendAsync(TakenDelivery delivery, CancellationToken cancellationToken)
    {
        using var activity = Start(delivery);
        var moment = clock.GetUtcNow();
        var request = WebhookRequest.Of(delivery, endpoint.Url, endpoint.Keys, moment);
        var response = await client.SendAsync(request, cancellationToken);
        var verdict = Verdict.Of(
            response,
            delivery.Attempt,
            moment - delivery.CreatedAt,
            endpoint.Retry,
            Random.Shared.NextDouble()
        );
        var attempt = new Attempt(
            delivery,
            moment.UtcDateTime,
            response.Status,
            response.Duration,
            response.Body,
            verdict
        );
        WebhookMetrics.Count(attempt);
        return attempt;
    }

    private async Task WriteAllAsync(CancellationToken cancellationToken)
    {
        var arrived = new List<Attempt>(DeliveryLedger.Batch);
        while (await _attempts.Reader.WaitToReadAsync(CancellationToken.None))
        {
            while (arrived.Count < DeliveryLedger.Batch && _attempts.Reader.TryRead(out var attempt))
            {
                arrived.Add(attempt);
            }

            await WriteAsync(arrived, cancellationToken);
            Interlocked.Add(ref _open, -arrived.Count);
            arrived.Clear();
        }
    }

    /// <summary>What the receiver has seen is not forgotten in an outage: it is written when the database is back, or the job lost.</summary>
    private async Task WriteAsync(List<Attempt> attempts, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await ledger.SettleAsync(job, attempts, CancellationToken.None);
                return;
            }
            catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
            {
                await Task.Delay(Patience, clock, cancellationToken);
            }
        }
    }

    private async Task GiveBackAsync()
    {
        var unsent = new List<TakenDelivery>();
        while (_queue.Reader.TryRead(out var delivery))
        {
            unsent.Add(delivery);
        }

        if (unsent.Count == 0)
        {
            return;
        }

        try
        {
            await ledger.GiveBackAsync(job, unsent, CancellationToken.None);
        }
        catch (Exception exception) when (ExpectedErrors.IsOutage(exception))
        {
            // the next sender takes them over
        }
    }

    /// <summary>A loop that fails ends the others, so that its job ends with the failure.</summary>
    private static async Task WatchAsync(Func<Task> loop, CancellationTokenSource end)
    {
        try
        {
            await loop();
        }
        catch
        {
            await end.CancelAsync();
            throw;
        }
    }

    // without a listener there is no activity of the source, yet what is sent must stay in the event's trace
    private static Activity? Start(TakenDelivery delivery)
    {
        const string Name = "deliver";
        if (Activities.StartActivity(Name, ActivityKind.Producer, delivery.TraceParent) is { } activity)
        {
            return activity.SetTag("bellhop.delivery.id", delivery.Id);
        }

        return delivery.TraceParent is null ? null : new Activity(Name).SetParentId(delivery.TraceParent).Start();
    }
}
