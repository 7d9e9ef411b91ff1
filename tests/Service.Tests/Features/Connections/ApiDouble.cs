using System.Collections.Concurrent;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

/// <summary>A double of somebody's HTTP API on 127.0.0.1: keeps what comes and answers as the test says.</summary>
internal sealed class ApiDouble : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<ApiRequest> _requests = new();

    private ApiDouble(WebApplication app) => _app = app;

    public string Url => _app.Urls.First();

    public int Port => new Uri(Url).Port;

    public IReadOnlyList<ApiRequest> Requests => [.. _requests];

    /// <summary>Answers 200 to who sends the header, 401 to everybody else.</summary>
    public static Task<ApiDouble> AskingForAsync(string header, string value) =>
        StartAsync(request =>
            request.Headers.GetValueOrDefault(header) == value ? Results.Ok() : Results.StatusCode(401)
        );

    /// <summary>A token endpoint (RFC 6749 section 4.4) that hands out <c>token-1</c>, <c>token-2</c>, … to this client.</summary>
    public static Task<ApiDouble> HandingOutTokensAsync(string client, string secret, int seconds = 3600)
    {
        var expected = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{client}:{secret}"));
        var count = 0;
        return StartAsync(request =>
            request.Headers.GetValueOrDefault("Authorization") != expected
            || !request.Body.StartsWith("grant_type=client_credentials", StringComparison.Ordinal)
                ? Results.Json(new { error = "invalid_client" }, statusCode: 401)
                : Results.Json(
                    new
                    {
                        access_token = $"token-{Interlocked.Increment(ref count)}",
                        token_type = "Bearer",
                        expires_in = seconds,
                    }
                )
        );
    }

    public static async Task<ApiDouble> StartAsync(
        Func<ApiRequest, IResult> answer,
        X509Certificate2? certificate = null
    )
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        if (certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
            builder.WebHost.ConfigureKestrel(kestrel =>
                kestrel.ConfigureHttpsDefaults(https => https.ServerCertificate = certificate)
            );
        }

        var app = builder.Build();
        app.Urls.Add($"{(certificate is null ? "http" : "https")}://127.0.0.1:0");
        var api = new ApiDouble(app);
        app.Run(http => api.TakeAsync(http, answer));
        await app.StartAsync(TestContext.Current.CancellationToken);
        return api;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext http, Func<ApiRequest, IResult> answer)
    {
        using var reader = new StreamReader(http.Request.Body);
        var request = new ApiRequest(
            http.Request.Method,
            http.Request.Path + http.Request.QueryString,
            http.Request.Headers.ToDictionary(
                header => header.Key,
                header => header.Value.ToString(),
                StringComparer.OrdinalIgnoreCase
            ),
            await reader.ReadToEndAsync()
        );
        _requests.Enqueue(request);
        await answer(request).ExecuteAsync(http);
    }
}

internal sealed record ApiRequest(string Method, string Path, IReadOnlyDictionary<string, string> Headers, string Body);
