using System.Net;
using System.Text.Json;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>An answer as tests look at it.</summary>
public sealed record Answer(
    HttpStatusCode Status,
    JsonElement Body,
    string? ETag,
    string? Location,
    bool IsReplayed,
    string Text
)
{
    public string? Code =>
        Body.ValueKind == JsonValueKind.Object && Body.TryGetProperty("code", out var code) ? code.GetString() : null;

    public Guid Id => Body.GetProperty("id").GetGuid();

    public Answer Expect(HttpStatusCode status)
    {
        Assert.True(Status == status, $"{(int)Status} {Text}");
        return this;
    }
}

/// <summary>Calls with the headers that make them conditional or idempotent.</summary>
public static class ConfigurationCalls
{
    public static async Task<Answer> CallAsync(
        this HttpClient http,
        string method,
        string path,
        string? json = null,
        string contentType = "application/json",
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Content = json is null ? null : new StringContent(json, null, contentType);
        foreach (var (name, value) in headers)
        {
            Assert.True(request.Headers.TryAddWithoutValidation(name, value), name);
        }

        using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new Answer(
            answer.StatusCode,
            text.StartsWith('{') ? JsonElement.Parse(text) : default,
            answer.Headers.ETag?.ToString(),
            answer.Headers.Location?.ToString(),
            answer.Headers.TryGetValues("Idempotency-Replayed", out var replayed) && replayed.Single() == "true",
            text
        );
    }

    public static Task<Answer> PostAsync(this HttpClient http, string path, string json, string? key = null) =>
        http.CallAsync("POST", path, json, headers: key is null ? [] : [("Idempotency-Key", key)]);

    /// <summary>PUT, PATCH or DELETE of the state with this tag.</summary>
    public static Task<Answer> ChangeAsync(
        this HttpClient http,
        string method,
        string path,
        string? json = null,
        string? ifMatch = null
    ) => http.CallAsync(method, path, json, headers: ifMatch is null ? [] : [("If-Match", ifMatch)]);
}
