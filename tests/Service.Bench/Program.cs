using System.Globalization;
using Bellhop.Bench;

// bench NAME… | all: each prints its figures beside a yardstick of the same minute, as a section of RESULTS.md.
// bench plans: reads the plan of every list on a million rows, and fails where one reads too much.
Dictionary<string, Func<BenchHost, Task<string>>> benchmarks = new(StringComparer.Ordinal)
{
    ["ingest"] = PlainIngest.RunAsync,
    ["bulk"] = BulkIngest.RunAsync,
    ["delivery"] = DeliveryPath.RunAsync,
    ["idle-job"] = IdleJob.RunAsync,
    ["drain"] = Drain.RunAsync,
    ["enqueue"] = Enqueue.RunAsync,
    ["remote"] = RemoteWork.RunAsync,
    ["depth"] = Depth.RunAsync,
    ["snapshot"] = Snapshot.RunAsync,
    ["history"] = History.RunAsync,
    ["parked"] = ParkedWorkers.RunAsync,
    ["reads"] = Reads.RunAsync,
    ["logins"] = Logins.RunAsync,
};

if (args is ["bare-api", var connection, var project])
{
    return await BareApi.ServeAsync(connection, Guid.Parse(project)); // the yardstick of reads, a process of its own
}

if (args is ["remote-worker", var port, var key])
{
    return await RemoteWork.WorkAsync(int.Parse(port, CultureInfo.InvariantCulture), key);
}

if (args is ["plans"])
{
    return await Plans.RunAsync();
}

var names = args is ["all"] ? [.. benchmarks.Keys] : args;
if (names.Length == 0 || names.Except(benchmarks.Keys).Any())
{
    Console.Error.WriteLine($"usage: ./dev bench all | plans | {string.Join(" | ", benchmarks.Keys)}");
    return 2;
}

await using var host = await BenchHost.StartAsync();
Console.WriteLine(host.Machine());
foreach (var name in names)
{
    Console.WriteLine(await benchmarks[name](host));
}

return 0;
