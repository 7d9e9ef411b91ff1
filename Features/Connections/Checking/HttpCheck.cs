using System.Text.Json;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections.Checking;

/// <summary>Asks an HTTP API for its base URL, or a model provider for its models, with the connection's secret.</summary>
internal sealed class HttpCheck(ServerProbe probe, OutgoingClient client, TimeProvider clock) : IConnectionCheck
{
    private const int ShownModels = 20;

    public IReadOnlyList<string> Kinds => [ConnectionKind.Http, ConnectionKind.Llm];

    public IEnumerable<string> StepsOf(OpenConnection connection) =>
        connection.Config switch
        {
            HttpConfig http =>
            [
                .. ServerProbe.StepsTo(http.BaseUrl),
                .. http.Auth?.Type == HttpAuth.OAuth2 ? new[] { StepName.Token } : [],
                StepName.Request,
            ],
            LlmConfig llm => [.. ServerProbe.StepsTo(llm.BaseUrl), StepName.Request, StepName.Model],
            _ => throw new ConnectionKindException(connection, ConnectionKind.Http),
        };

    public async Task RunAsync(OpenConnection connection, CheckSteps steps, CancellationToken cancellationToken)
    {
        // with a state of its own: a token that is held already would say nothing of the secret
        var http = new HttpConnection(connection, client, new HttpState(client, clock));
        if (!await probe.ReachAsync(steps, http.BaseUrl, cancellationToken))
        {
            return;
        }

        if (http.Config.Auth?.Type == HttpAuth.OAuth2 && !await FetchTokenAsync(http, steps, cancellationToken))
        {
            return;
        }

        if (connection.Config is LlmConfig llm)
        {
            await AskForModelsAsync(http, llm.Model, connection.Secret, steps, cancellationToken);
            return;
        }

        var response = await SendAsync(http, HttpMethod.Head, $"{http.BaseUrl}", 0, cancellationToken);
        if (response.Status is StatusCodes.Status405MethodNotAllowed or StatusCodes.Status501NotImplemented)
        {
            response = await SendAsync(http, HttpMethod.Get, $"{http.BaseUrl}", 0, cancellationToken);
        }

        Judge(response, http, steps);
    }

    private static async Task<bool> FetchTokenAsync(
        HttpConnection http,
        CheckSteps steps,
        CancellationToken cancellationToken
    )
    {
        var token = await http.GetTokenAsync(null, cancellationToken);
        if (token.Error is { } error)
        {
            steps.Fail(error);
            return false;
        }

        steps.Reached(StepName.Token, "The token endpoint handed out a token.");
        return true;
    }

    private static async Task AskForModelsAsync(
        HttpConnection http,
        string model,
        string? secret,
        CheckSteps steps,
        CancellationToken cancellationToken
    )
    {
        var url = http.Resolve("models").Url!;
        var response = await SendAsync(
            http,
            HttpMethod.Get,
            $"{url}",
            OutgoingRequest.MostBodyBytes,
            cancellationToken
        );
        if (!response.IsSuccessStatus && response.Status is not null)
        {
            Judge(response, http, steps, mayBeNothing: false);
            return;
        }

        Judge(response, http, steps);
        if (steps.HasFailed)
        {
            return;
        }

        var models = ReadModels(response.Body);
        if (models is null)
        {
            steps.Fail("The answer is no list of models: is base_url that of an API like OpenAI's, with its /v1?");
        }
        else if (models.Contains(model, StringComparer.Ordinal))
        {
            steps.Reached(StepName.Model, $"{model} is one of {models.Count} models.");
        }
        else
        {
            steps.Fail(
                models.Count == 0
                    ? "There are no models."
                    : $"There is no {model}; there are {Redaction.Of(string.Join(", ", models.Take(ShownModels)), secret)}{(models.Count > ShownModels ? ", …" : "")}."
            );
        }
    }

    private static Task<OutgoingResponse> SendAsync(
        HttpConnection http,
        HttpMethod method,
        string url,
        int maxBodyBytes,
        CancellationToken cancellationToken
    ) => http.SendAsync(new OutgoingRequest(method, url) { MaxBodyBytes = maxBodyBytes }, cancellationToken);

    /// <summary>An API need have nothing at its base URL, but must let the caller in.</summary>
    private static void Judge(
        OutgoingResponse response,
        HttpConnection http,
        CheckSteps steps,
        bool mayBeNothing = true
    )
    {
        switch (response.Status)
        {
            case null:
                steps.Fail(Reasons.Of(response.ErrorCode ?? OutgoingErrors.ConnectionLost));
                break;
            case 401:
                steps.Fail(
                    http.Config.Auth is null
                        ? "401: it wants to know who asks: give auth and a secret."
                        : "401: the secret was not accepted."
                );
                break;
            case 403:
                steps.Fail("403: who the secret belongs to may not do this.");
                break;
            case 429:
                steps.Fail("429: too many requests went there; check again later.");
                break;
            case >= 300 and <= 399:
                steps.Fail($"{response.Status}: {Reasons.Of(OutgoingErrors.RedirectNotFollowed)}");
                break;
            case >= 500:
                steps.Fail($"{response.Status}: the server failed.");
                break;
            case 404 when mayBeNothing:
                steps.Reached(
                    StepName.Request,
                    "404: the server answers, and has nothing at base_url itself, as APIs often do."
                );
                break;
            case >= 400 when !mayBeNothing:
                steps.Fail($"{response.Status}: is base_url that of an API like OpenAI's, with its /v1?");
                break;
            default:
                steps.Reached(StepName.Request, $"The server answers {response.Status}.");
                break;
        }
    }

    private static List<string>? ReadModels(byte[] body)
    {
        try
        {
            using var answer = JsonDocument.Parse(body);
            return
                answer.RootElement.ValueKind == JsonValueKind.Object
                && answer.RootElement.TryGetProperty("data", out var data)
                && data.ValueKind == JsonValueKind.Array
                ? [.. data.EnumerateArray().Select(IdOf).OfType<string>()]
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? IdOf(JsonElement model) =>
        model.ValueKind == JsonValueKind.Object
        && model.TryGetProperty("id", out var id)
        && id.ValueKind == JsonValueKind.String
            ? id.GetString()
            : null;
}
