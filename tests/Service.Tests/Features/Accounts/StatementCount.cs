using System.Collections.Concurrent;
using System.Diagnostics;

namespace Bellhop.Tests.Features.Accounts;

/// <summary>What a request has the database do, in order: the text of its statements.</summary>
internal sealed class StatementCount : IDisposable
{
    private readonly ConcurrentDictionary<ActivityTraceId, ConcurrentQueue<string>> _said = new();
    private readonly ActivityListener _spans;

    public StatementCount()
    {
        _spans = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "Npgsql" or "Bellhop.Tests",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                var text = $"{span.GetTagItem("db.query.text") ?? span.GetTagItem("db.statement")}";
                // of a connection that is opened there is no text
                if (span.Source.Name == "Npgsql" && text.Length > 0)
                {
                    _said.GetOrAdd(span.TraceId, _ => new ConcurrentQueue<string>()).Enqueue(text);
                }
            },
        };
        ActivitySource.AddActivityListener(_spans);
    }

    public async Task<IReadOnlyList<string>> OfAsync(Func<Task<HttpResponseMessage>> call)
    {
        using var span = new Activity("call").Start();
        using var answer = await call();
        return _said.TryGetValue(span.TraceId, out var said) ? [.. said] : [];
    }

    public void Dispose() => _spans.Dispose();
}
