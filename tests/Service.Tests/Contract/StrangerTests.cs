using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Contract;

/// <summary>What belongs to another project is to a stranger as if it were not there: status, body, and the statements it takes.</summary>
public sealed partial class StrangerTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Another_projects_id_is_answered_as_one_that_nobody_has()
    {
        var document = await ApiDocument.ReadAsync(service);
        // but for one that makes what is not there, in the stranger's own project
        var operations = document.Operations.Where(one => $"{one}" != "PUT /v1/secrets/{name}").ToArray();
        var lists = AccessMatrixTests.Lists(operations);
        var furnished = await Furnished.CreateAsync(service, lists);
        var elsewhere = await service.NewProjectAsync();
        var stranger = (await TestUser.CreateAsync(service, elsewhere.Id)).Http;
        using var statements = new Statements();
        var faults = new List<string>();
        var count = 0;
        foreach (
            var operation in operations.Where(one =>
                lists.Any(list => one.Path.StartsWith($"{list}/", StringComparison.Ordinal) && one.Path.Contains('{'))
            )
        )
        {
            var (real, random) = (furnished.Fill(operation.Path), Furnished.Fill(operation.Path, Unknown));
            await SendAsync(stranger, operation, random); // what is asked for the first time is remembered by some
            var (theirs, nobodys) = (
                await SendAsync(stranger, operation, real),
                await SendAsync(stranger, operation, random)
            );
            count++;
            if (Plain(theirs.Text, real) != Plain(nobodys.Text, random) || theirs.Status != nobodys.Status)
            {
                faults.Add(
                    $"{operation}: {theirs.Status} {theirs.Text}\n  where nobody's is {nobodys.Status} {nobodys.Text}"
                );
            }
            else if (statements.Of(theirs.Trace) != statements.Of(nobodys.Trace))
            {
                faults.Add(
                    $"{operation}: {statements.Of(theirs.Trace)} statements, and {statements.Of(nobodys.Trace)}"
                );
            }
        }

        Assert.True(count > 20, $"{count} operations");
        Assert.True(statements.Any, "no statement was seen");
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    [Fact]
    public async Task No_list_shows_what_is_another_projects()
    {
        var document = await ApiDocument.ReadAsync(service);
        var lists = AccessMatrixTests.Lists(document.Operations);
        var furnished = await Furnished.CreateAsync(service, lists);
        var elsewhere = await service.NewProjectAsync();
        var stranger = (await TestUser.CreateAsync(service, elsewhere.Id)).Http;
        var theirs = lists
            .Select(list => furnished.Fill($"{list}/{{id}}").Split('/')[^1])
            .Where(id => Guid.TryParse(id, out _))
            .ToArray();
        var shown = new List<string>();
        foreach (var operation in document.Operations.Where(one => one is { Method: "GET" } && !one.Path.Contains('{')))
        {
            using var answer = await stranger.GetAsync(operation.Path, HttpCompletionOption.ResponseHeadersRead, Token);
            if (answer.Content.Headers.ContentType?.MediaType == "application/json")
            {
                var text = await answer.Content.ReadAsStringAsync(Token);
                shown.AddRange(
                    theirs.Where(id => text.Contains(id, StringComparison.Ordinal)).Select(id => $"{operation}: {id}")
                );
            }
        }

        Assert.True(theirs.Length > 5);
        Assert.Empty(shown);
    }

    // configuration is named too, but for the id of a secret, which is its name
    private static string Unknown(string list) =>
        list == "/v1/secrets" ? $"n{Guid.NewGuid():N}" : $"{Guid.CreateVersion7()}";

    private static async Task<(int Status, string Text, string Trace)> SendAsync(
        HttpClient caller,
        Operation operation,
        string path
    )
    {
        var trace = ActivityTraceId.CreateRandom().ToHexString();
        using var request = new HttpRequestMessage(new HttpMethod(operation.Method), path);
        request.Headers.Add("traceparent", $"00-{trace}-{ActivitySpanId.CreateRandom().ToHexString()}-01");
        if (operation.Parameters.Any(one => $"{one["name"]}" == "If-Match"))
        {
            request.Headers.Add("If-Match", "\"0199c8a12c407d528b0e41f7a96c3d02-3\"");
        }

        // as the document shows it, so that nothing is refused before it is looked for
        if (operation.Bodies.FirstOrDefault() is { Key: { } type } body)
        {
            request.Content = new StringContent($"{body.Value!["example"]}", Encoding.UTF8, type);
        }

        using var answer = await caller.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(Token), trace);
    }

    private static string Plain(string text, string path) =>
        RequestId()
            .Replace(
                path.Split('/').Where(part => part.Length > 30).Aggregate(text, (at, id) => at.Replace(id, "ID")),
                ""
            );

    [GeneratedRegex("\"request_id\":\"[^\"]*\"")]
    private static partial Regex RequestId();

    /// <summary>Counts the statements of each trace.</summary>
    private sealed class Statements : IDisposable
    {
        private readonly ConcurrentDictionary<string, int> _counts = new(StringComparer.Ordinal);
        private readonly ActivityListener _listener;

        public Statements()
        {
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name is "Npgsql" or "Microsoft.AspNetCore",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = span =>
                {
                    if (span.Source.Name == "Npgsql")
                    {
                        _counts.AddOrUpdate(span.TraceId.ToHexString(), 1, (_, count) => count + 1);
                    }
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public bool Any => _counts.Values.Any(count => count > 0);

        public int Of(string trace) => _counts.GetValueOrDefault(trace);

        public void Dispose() => _listener.Dispose();
    }
}
