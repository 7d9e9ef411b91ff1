using System.Globalization;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections;

/// <summary>Sends HTTP requests as work of a job, and judges what came of them.</summary>
/// <remarks>
/// At least once: what has an effect carries an <c>Idempotency-Key</c> that stays the same over all attempts, unless its author set
/// one. A fault of the network, 408, 425, 429 and 5xx may pass and are tried again, not before <c>Retry-After</c>; all else is
/// final. A connection whose rate is used up gives the attempt back.
/// </remarks>
public sealed class HttpCalls(ConnectionCache connections, OutgoingClient client)
{
    /// <summary>How much of an answer is kept; more is an error, never a part.</summary>
    private const int MaxBodyBytes = 192 * 1024;

    /// <summary>How much of a body that refuses is told.</summary>
    private const int MaxTold = 500;

    /// <param name="projectId">Whose connection it is.</param>
    /// <param name="call">A sound one.</param>
    /// <param name="key">What is sent as <c>Idempotency-Key</c>.</param>
    /// <param name="secrets">What must not stand in the outcome.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Its result is <c>{"status","headers","body"}</c>: a JSON body as JSON, other text as text, bytes as base64 with <c>"body_encoding"</c>.</returns>
    public async Task<JobOutcome> SendAsync(
        Guid projectId,
        HttpCall call,
        string key,
        IReadOnlyCollection<string> secrets,
        CancellationToken cancellationToken
    )
    {
        HttpConnection? connection = null;
        if (call.Connection is { } name)
        {
            var (opened, refusal) = await OpenAsync(projectId, name, cancellationToken);
            if (refusal is not null)
            {
                return refusal;
            }

            connection = opened!;
        }

        var target = Target(connection, call);
        if (target.Refusal is { } fault)
        {
            return fault;
        }

        if (connection is not null && !connection.TryTake(out var wait))
        {
            return new JobOutcome.Released(wait);
        }

        var request = ToRequest(call, WithQuery(target.Url!, call.Query), key);
        var response = connection is null
            ? await client.SendAsync(request, cancellationToken)
            : await connection.SendAsync(request, cancellationToken);
        var mask = new Mask([.. secrets, .. connection?.Credentials ?? []]);
        return Judge(call, response, mask);
    }

    /// <summary>A connection of kind <c>http</c>, or why there is none.</summary>
    internal async Task<(HttpConnection? Connection, JobOutcome.Failed? Refusal)> OpenAsync(
        Guid projectId,
        string name,
        CancellationToken cancellationToken
    )
    {
        var found = await connections.FindAsync(projectId, name, cancellationToken);
        return found is null ? (null, Refuse("unknown_connection", $"There is no connection {name} in this project."))
            : found.Kind != ConnectionKind.Http
                ? (null, Refuse("wrong_connection_kind", $"The connection {name} is of kind {found.Kind}, not http."))
            // looked for again, and it may have gone between
            : await connections.OpenHttpAsync(projectId, name, cancellationToken) is { } opened ? (opened, null)
            : (null, Refuse("unknown_connection", $"There is no connection {name} in this project."));
    }

    private static (string? Url, JobOutcome.Failed? Refusal) Target(HttpConnection? connection, HttpCall call)
    {
        if (connection is null)
        {
            return (call.Url, null); // judged when it is sent
        }

        var (url, fault) = connection.Resolve(
            // a path that reads like a URL is a path all the same, or it would lead out of base_url
            call.Path
                is { } path
                ? $"/{path}"
                : call.Url!
        );
        return fault is null ? (url!.AbsoluteUri, null) : (null, Refuse(ConnectionErrors.HostNotOfConnection, fault));
    }

    private static string WithQuery(string url, IReadOnlyDictionary<string, JsonElement>? query)
    {
        var pairs = (query ?? new Dictionary<string, JsonElement>()).SelectMany(member =>
            Scalars
                .TextsOf(member.Value)
                .Select(text => $"{Uri.EscapeDataString(member.Key)}={Uri.EscapeDataString(text)}")
        );
        var appended = string.Join('&', pairs);
        return appended.Length == 0 ? url
            : url.Contains('?', StringComparison.Ordinal) ? $"{url}&{appended}"
            : $"{url}?{appended}";
    }

    private static OutgoingRequest ToRequest(HttpCall call, string url, string key)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var (name, value) in call.Headers ?? new Dictionary<string, JsonElement>())
        {
            headers.AddRange(Scalars.TextsOf(value).Select(text => KeyValuePair.Create(name, text)));
        }

        var body = call.Body switch
        {
            null or { ValueKind: JsonValueKind.Null } => null,
            { ValueKind: JsonValueKind.String } text => text.GetString(),
            { } json => json.GetRawText(),
        };
        if (body is not null)
        {
            AddUnlessSet(
                headers,
                "content-type",
                call.Body!.Value.ValueKind == JsonValueKind.String ? "text/plain; charset=utf-8" : "application/json"
            );
        }

        if (!call.IsSafe)
        {
            AddUnlessSet(headers, "idempotency-key", key);
        }

        return new OutgoingRequest(new HttpMethod(call.Method!), url)
        {
            Headers = headers,
            Body = body is null ? null : Encoding.UTF8.GetBytes(body),
            Timeout = TimeSpan.FromSeconds(call.TimeoutSeconds),
            MaxBodyBytes = MaxBodyBytes,
            PropagateTrace = true,
        };
    }

    private static void AddUnlessSet(List<KeyValuePair<string, string>> headers, string name, string value)
    {
        if (!headers.Exists(header => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)))
        {
            headers.Add(KeyValuePair.Create(name, value));
        }
    }

    private static JobOutcome Judge(HttpCall call, OutgoingResponse response, Mask mask)
    {
        if (response.Status is not { } status)
        {
            var code = response.ErrorCode!;
            return new JobOutcome.Failed(
                code,
                Reasons.Of(code),
                Retryable: code == ConnectionErrors.TokenFailed || OutgoingErrors.MayPass(code),
                RetryAfter(response)
            );
        }

        var isGood = response.IsSuccessStatus || call.Accept?.Contains(status) == true;
        if (!isGood)
        {
            return new JobOutcome.Failed(
                "http_status",
                $"{call.Method} was answered with {status}: {Told(response, mask)}".TrimEnd(' ', ':'),
                Retryable: status is 408 or 425 or 429 or >= 500,
                RetryAfter(response)
            );
        }

        if (response.ErrorCode is { } error && error != OutgoingErrors.RedirectNotFollowed)
        {
            // whoever has answered 2xx has taken the request; it is asked again only where asking changes nothing
            return new JobOutcome.Failed(error, $"The answer ({status}) did not arrive whole.", Retryable: call.IsSafe);
        }

        var result = response.BodyTruncated ? null : HttpOutput.Write(status, response, mask);
        return result is null || result.Length > HttpOutput.MaxLength
            ? Refuse("response_too_large", $"The answer ({status}) is larger than {MaxBodyBytes / 1024} KiB.")
            : new JobOutcome.Succeeded(result);
    }

    private static TimeSpan? RetryAfter(OutgoingResponse response) =>
        response.RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

    private static string Told(OutgoingResponse response, Mask mask)
    {
        if (response.ErrorCode is not (null or OutgoingErrors.RedirectNotFollowed))
        {
            return ""; // what broke off may end within a secret
        }

        var text = HttpOutput.Tell(response, mask); // masked before it is cut, or a part of a secret stays
        return text.Length <= MaxTold
            ? text
            : string.Create(CultureInfo.InvariantCulture, $"{text.AsSpan(0, MaxTold)}…");
    }

    private static JobOutcome.Failed Refuse(string code, string message) => new(code, message, Retryable: false);
}
