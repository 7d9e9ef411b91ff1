using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Crash;

/// <summary>
/// Sends events to a service that is killed meanwhile, then joins three books: what the client was answered, what the database
/// holds, and what the receiver got.
/// </summary>
internal sealed class MainJobLedger(
    ServiceProcess service,
    NpgsqlDataSource database,
    EffectSink sink,
    Ledger ledger,
    int seed
)
{
    private const string Source = "ledger";
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>An automation that enqueues a job, waits for it and emits; an endpoint that takes what is emitted.</summary>
    public async Task PrepareAsync()
    {
        using var client = service.NewClient();
        var endpoint = await PostAsync(
            client,
            "/v1/webhook-endpoints",
            new
            {
                name = "sink",
                url = sink.Url,
                event_types = new[] { "order.done" },
                retry = new
                {
                    max_attempts = 50,
                    strategy = "linear",
                    initial_seconds = 0.2,
                    max_seconds = 1,
                },
            }
        );
        sink.Expect(endpoint.GetProperty("secret").GetString()!);
        await PostAsync(
            client,
            "/v1/automations",
            new
            {
                name = "ledger",
                on = new { type = new[] { "order.created" } },
                steps = new object[]
                {
                    new
                    {
                        id = "note",
                        uses = "set",
                        with = new { number = "${event.data.number}" },
                    },
                    new
                    {
                        id = "work",
                        uses = "job",
                        @if = "event.data.number % 5 == 0",
                        with = new { kind = "noop", args = new { } },
                    },
                    new
                    {
                        id = "tell",
                        uses = "emit",
                        with = new { type = "order.done", data = new { number = "${steps.note.output.number}" } },
                    },
                },
            }
        );
    }

    /// <summary>Sends the events from several clients; each repeats a call until it is answered.</summary>
    public async Task SendAsync(int events, int clients, CancellationToken cancellationToken)
    {
        var next = -1;
        await Task.WhenAll(
            Enumerable
                .Range(0, clients)
                .Select(async _ =>
                {
                    using var client = service.NewClient();
                    for (
                        var number = Interlocked.Increment(ref next);
                        number < events;
                        number = Interlocked.Increment(ref next)
                    )
                    {
                        await SendOneAsync(client, number, cancellationToken);
                    }
                })
        );
    }

    /// <summary>Waits until nothing is left to do, then compares the books.</summary>
    public async Task CheckAsync(int events, TimeSpan patience)
    {
        await Eventually.BeTrueAsync(async () => await OpenWorkAsync() == 0, "everything is done", patience);
        await using var connection = await database.OpenConnectionAsync();
        var stored = (
            await connection.QueryAsync<(string EventId, Guid Id)>(
                "SELECT event_id, id FROM bellhop.events WHERE source = @Source",
                new { Source }
            )
        ).ToArray();

        Assert.True(
            events == ledger.Acknowledged.Count,
            $"seed {seed}: {ledger.Acknowledged.Count} of {events} were acknowledged"
        );
        Assert.Equal(events, stored.Length); // none missing, none twice
        Assert.All(stored, row => Assert.Equal(ledger.Acknowledged[row.EventId], row.Id));
        Assert.Equal(
            events,
            await CountAsync(connection, "SELECT count(*) FROM bellhop.runs WHERE state = 'succeeded'")
        );
        Assert.Equal(0, await CountAsync(connection, "SELECT count(*) FROM bellhop.runs WHERE state <> 'succeeded'"));
        Assert.Equal(
            events,
            await CountAsync(connection, "SELECT count(*) FROM bellhop.events WHERE type = 'order.done'")
        );
        await CheckDeliveriesAsync(connection, events);
        Assert.Empty(sink.Faults);
    }

    private async Task CheckDeliveriesAsync(NpgsqlConnection connection, int events)
    {
        var deliveries = (
            await connection.QueryAsync<(Guid Id, string State, long Sequence)>(
                "SELECT id, state, sequence FROM bellhop.deliveries"
            )
        ).ToArray();

        Assert.Equal(events, deliveries.Length);
        Assert.All(deliveries, delivery => Assert.Equal("succeeded", delivery.State));
        Assert.All(deliveries, delivery => Assert.Equal(delivery.Sequence, sink.Sequences[delivery.Id]));
        Assert.Equal(deliveries.Select(delivery => delivery.Id).Order(), sink.Received.Keys.Order());
        Assert.Equal(
            Enumerable.Range(1, events).Select(number => (long)number),
            deliveries.Select(delivery => delivery.Sequence).Order()
        );
    }

    private async Task<long> OpenWorkAsync()
    {
        await using var connection = await database.OpenConnectionAsync();
        return await CountAsync(
            connection,
            """
            SELECT (SELECT count(*) FROM bellhop.jobs) + (SELECT count(*) FROM bellhop.unrouted_events)
                + (SELECT count(*) FROM bellhop.deliveries WHERE state IN ('pending', 'sending'))
                + (SELECT count(*) FROM bellhop.runs WHERE state IN ('queued', 'running', 'waiting'))
            """
        );
    }

    private async Task SendOneAsync(HttpClient client, int number, CancellationToken cancellationToken)
    {
        var id = $"order-{number}";
        ledger.Intend(id);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                using var answer = await client.PostAsJsonAsync(
                    "/v1/events",
                    new
                    {
                        type = "order.created",
                        source = Source,
                        id,
                        data = new { number },
                    },
                    cancellationToken
                );
                if (answer.StatusCode == HttpStatusCode.Accepted)
                {
                    var body = await answer.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
                    ledger.Acknowledge(id, body.GetProperty("id").GetGuid());
                    return;
                }

                Assert.True(
                    answer.StatusCode == HttpStatusCode.ServiceUnavailable,
                    $"{answer.StatusCode} {await answer.Content.ReadAsStringAsync(cancellationToken)}"
                );
            }
            catch (Exception exception)
                when (exception is HttpRequestException or IOException or TaskCanceledException
                    && !cancellationToken.IsCancellationRequested
                )
            {
                ledger.NoAnswer(id);
            }

            await Task.Delay(20, cancellationToken);
        }
    }

    private static Task<long> CountAsync(NpgsqlConnection connection, string sql) =>
        connection.QuerySingleAsync<long>(sql);

    private static async Task<JsonElement> PostAsync(HttpClient client, string path, object body)
    {
        using var answer = await client.PostAsJsonAsync(path, body, Json);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.Created, $"{path}: {(int)answer.StatusCode} {text}");
        return JsonSerializer.Deserialize<JsonElement>(text);
    }
}
