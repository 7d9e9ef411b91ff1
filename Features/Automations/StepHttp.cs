using System.Text.Json;
using Bellhop.Features.Connections;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Expressions;

namespace Bellhop.Features.Automations;

/// <summary><c>http</c>: sends a request and waits for the answer, which is the output: <c>{status, headers, body}</c>.</summary>
/// <remarks>What is a failure, and what of it is tried again, is told at <see cref="HttpCalls"/>.</remarks>
internal sealed class StepHttp(Template with, string? connection, RetryPolicy? retry)
    : StepEffect(with, connection, retry)
{
    private static readonly HttpCallRules Rules = new();

    public static StepHttp? Compile(StepSource source)
    {
        source.Expect(
            ["method"],
            ["connection", "url", "path", "headers", "query", "body", "accept", "timeout_seconds"]
        );
        var hasUrl = source.With.TryGetProperty("url", out _);
        var hasPath = source.With.TryGetProperty("path", out _);
        var hasConnection = source.With.TryGetProperty("connection", out _);
        if (hasUrl == hasPath)
        {
            source.Refuse(hasUrl ? "path" : "url", hasUrl ? "invalid" : "required", "Give either url or path.");
        }

        if (hasPath && !hasConnection)
        {
            source.Refuse("connection", "required", "A path is under the base URL of a connection: name it.");
        }

        CheckConnection(source, ConnectionKind.Http);
        if (source.Literal("method") is { } method && !HttpCall.Methods.Contains(method))
        {
            source.Refuse("method", "unknown_word", $"One of {string.Join(", ", HttpCall.Methods)}.");
        }

        CheckUrl(source, hasConnection);
        CheckNumbers(source);
        return source.Compile(withSecrets: true) is { } with
            ? new StepHttp(with, source.Literal("connection"), source.Retry)
            : null;
    }

    protected override async Task<JobOutcome> SendAsync(
        Effects effects,
        Guid projectId,
        JsonElement rendered,
        string key,
        IReadOnlyCollection<string> secrets,
        CancellationToken cancellationToken
    )
    {
        var (call, refusal) = JobArgs.Read(rendered.GetRawText(), Rules);
        return refusal ?? await effects.Http.SendAsync(projectId, call!, key, secrets, cancellationToken);
    }

    /// <summary>What a URL without expressions shows by its text; its addresses are judged when it is sent.</summary>
    private static void CheckUrl(StepSource source, bool hasConnection)
    {
        if (
            source.Literal("url") is { } url
            && !hasConnection
            && source.Targets?.Addresses.CheckUrl(url).ErrorCode is { } code
        )
        {
            source.Refuse("url", code, "This service does not send to this URL.");
        }
    }

    private static void CheckNumbers(StepSource source)
    {
        if (
            source.With.TryGetProperty("accept", out var accept)
            && accept.ValueKind != JsonValueKind.String
            && (accept.ValueKind != JsonValueKind.Array || !accept.EnumerateArray().All(IsStatus))
        )
        {
            source.Refuse("accept", "wrong_type", "accept is a list of statuses from 100 to 599.");
        }

        if (
            source.With.TryGetProperty("timeout_seconds", out var timeout)
            && timeout.ValueKind != JsonValueKind.String
            && !(timeout.ValueKind == JsonValueKind.Number && timeout.GetDouble() is >= 0.1 and <= 300)
        )
        {
            source.Refuse("timeout_seconds", "out_of_range", "timeout_seconds is a number from 0.1 to 300.");
        }
    }

    private static bool IsStatus(JsonElement status) =>
        status.ValueKind == JsonValueKind.Number && status.TryGetInt32(out var number) && number is >= 100 and <= 599;
}
