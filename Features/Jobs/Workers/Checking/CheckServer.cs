using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bellhop.Features.Jobs.Logs;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using FluentValidation;

namespace Bellhop.Features.Jobs.Workers.Checking;

/// <summary>The port of the conformance kit: reads what a worker sends as strictly as the service does.</summary>
/// <remarks>Its clock is an hour slow, which no worker may notice: durations count from their answer.</remarks>
internal sealed class CheckServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly CheckStage _stage;
    private readonly byte[] _key;
    private readonly TimeProvider _clock;

    private CheckServer(Uri url, string key, CheckStage stage, TimeProvider clock)
    {
        (_stage, _key, _clock) = (stage, Encoding.UTF8.GetBytes($"Bearer {key}"), clock);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        _app = builder.Build();
        _app.Urls.Add(url.GetLeftPart(UriPartial.Authority));
        _app.Run(TakeAsync);
    }

    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<CheckServer> StartAsync(
        Uri url,
        string key,
        CheckStage stage,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        var server = new CheckServer(url, key, stage, clock);
        await server._app.StartAsync(cancellationToken);
        return server;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext http)
    {
        http.Response.Headers.Date = (_clock.GetUtcNow() - TimeSpan.FromHours(1)).ToString("R");
        var path = http.Request.Path.Value!.Trim('/').Split('/');
        if (path is ["effects", var effect] && Guid.TryParse(effect, out var of))
        {
            _stage.Effect(of);
            http.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }

        if (
            !CryptographicOperations.FixedTimeEquals(
                Encoding.UTF8.GetBytes($"{http.Request.Headers.Authorization}"),
                _key
            )
        )
        {
            _stage.Note($"{http.Request.Path} came without the key");
            await WriteAsync(http, new Fault(StatusCodes.Status401Unauthorized));
            return;
        }

        try
        {
            await WriteAsync(http, await AnswerAsync(http, path));
        }
        catch (Exception exception) when (exception is JsonException or RuleBroken)
        {
            _stage.Note($"{http.Request.Method} {http.Request.Path}: {exception.Message}");
            await WriteAsync(http, new Fault(StatusCodes.Status422UnprocessableEntity));
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // the worker is gone
        }
    }

    private async Task<object> AnswerAsync(HttpContext http, string[] path) =>
        (http.Request.Method, path) switch
        {
            ("POST", ["v1", "jobs", "claim"]) => await _stage.ClaimAsync(
                await ReadAsync(http, new ClaimRules()),
                http.RequestAborted
            ),
            ("POST", ["v1", "jobs", "heartbeat"]) => _stage.Beat(await ReadAsync(http, new HeartbeatRules())),
            ("POST", ["v1", "jobs", "finish"]) => _stage.End(await ReadEndsAsync(http)),
            ("POST", ["v1", "jobs", var id, "complete" or "fail" or "snooze" or "release"]) => EndOne(
                await EndOfAsync(http, Guid.Parse(id), path[^1])
            ),
            ("GET", ["v1", "jobs", var id, "args"]) => _stage.Find(
                Guid.Parse(id),
                $"{http.Request.Headers["Bellhop-Lease"]}"
            )
                is { IsOver: false } job
                ? JsonNode.Parse(_stage.ArgsOf(job))!.AsObject()
                : new Fault(StatusCodes.Status409Conflict),
            ("POST", ["v1", "jobs", var id, "logs"]) => NextOf(Guid.Parse(id), await ReadAsync(http, new LogRules())),
            _ => throw new RuleBroken("there is no such call"),
        };

    private object NextOf(Guid id, LogDocument log) =>
        _stage.Find(id, log.Lease) is { IsOver: false }
            ? new JsonObject { ["next_seq"] = log.FromSeq + log.Lines!.Count }
            : new Fault(StatusCodes.Status409Conflict);

    private object EndOne(EndDocument end) =>
        _stage.End([end]) switch
        {
            JsonObject answer when (string)answer["results"]![0]!["status"]! == "lease_lost" => new Fault(
                StatusCodes.Status409Conflict
            ),
            JsonObject answer => answer["results"]![0]!.DeepClone(),
            var fault => fault,
        };

    private static async Task<EndDocument[]> ReadEndsAsync(HttpContext http)
    {
        var ends = (await http.Request.ReadFromJsonAsync<FinishDocument>(JsonRules.Options, http.RequestAborted))?.Jobs;
        if (ends is not { Count: >= 1 and <= FinishDocument.MaxJobs })
        {
            throw new RuleBroken($"jobs must hold 1 to {FinishDocument.MaxJobs}");
        }

        return [.. ends.Select(end => Checked(end, new EndRules()))];
    }

    private static async Task<EndDocument> EndOfAsync(HttpContext http, Guid id, string verb)
    {
        var body = (await http.Request.ReadFromJsonAsync<JsonObject>(http.RequestAborted))!;
        body["id"] = id;
        body["outcome"] = verb switch
        {
            "complete" => "succeeded",
            "fail" => "failed",
            "snooze" => "snoozed",
            _ => "released",
        };
        return Checked(body.Deserialize<EndDocument>(JsonRules.Options)!, new EndRules());
    }

    private static async Task<T> ReadAsync<T>(HttpContext http, IValidator<T> rules) =>
        Checked((await http.Request.ReadFromJsonAsync<T>(JsonRules.Options, http.RequestAborted))!, rules);

    private static T Checked<T>(T document, IValidator<T> rules) =>
        ValidationProblem.Of(rules.Validate(document)) is { } problem
            ? throw new RuleBroken(
                string.Join(" ", problem.Errors.Select(error => $"{error.Pointer}: {error.Message}"))
            )
            : document;

    private static async Task WriteAsync(HttpContext http, object answer)
    {
        if (answer is not Fault fault)
        {
            await http.Response.WriteAsJsonAsync(answer, JsonRules.Options, http.RequestAborted);
        }
        else if (fault.Status is not { } status)
        {
            http.Abort();
        }
        else
        {
            http.Response.StatusCode = status;
            http.Response.Headers.RetryAfter = fault.RetryAfterSeconds?.ToString(provider: null);
            await http.Response.WriteAsJsonAsync(
                new
                {
                    status,
                    code = "check",
                    detail = "The kit says so.",
                },
                JsonRules.Options,
                "application/problem+json",
                http.RequestAborted
            );
        }
    }
}
