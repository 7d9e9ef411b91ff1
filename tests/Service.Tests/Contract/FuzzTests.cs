using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Bellhop.Features.Accounts;
using Bellhop.Features.Sources;
using Bellhop.Features.Webhooks;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Contract;

/// <summary>Whatever is sent, the answer is one the document tells of: its status, its code, its body; never 5xx, never late.</summary>
/// <remarks>
/// The requests come from the document of the running service, so that a new route is covered by being there. BELLHOP_FUZZ_SEED
/// makes the same ones again, but for the ids that the service gave.
/// </remarks>
public sealed class FuzzTests(ServiceFixture service)
{
    private const string Inbound = "/in/{token}";

    private static readonly TimeSpan Late = TimeSpan.FromSeconds(2);

    /// <summary>What needs a token, a code or a session that lives for a moment: their own tests have one.</summary>
    private static readonly string[] OfAMoment =
    [
        "DELETE /v1/auth/sessions/{id}",
        "DELETE /v1/users/invitations/{id}",
        "GET /v1/users/invitations/{id}", // the next one to the same address replaces it
        "GET /v1/jobs/{id}/args", // a lease
        "POST /v1/auth/redeem",
        "POST /v1/auth/totp/confirm",
        "POST /v1/auth/totp/disable",
        "POST /v1/jobs/{id}/complete",
        "POST /v1/jobs/{id}/fail",
        "POST /v1/jobs/{id}/logs",
        "POST /v1/jobs/{id}/release",
        "POST /v1/jobs/{id}/snooze",
    ];

    private readonly ConcurrentDictionary<string, ConcurrentBag<string>> _ids = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _succeeded = new(StringComparer.Ordinal);
    private readonly ConcurrentBag<string> _faults = [];
    private int _count;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public Task Every_answer_is_as_the_document_says() => FuzzAsync(SeedOr(1), rounds: 4);

    [Fact]
    [Trait("Category", "nightly")]
    public Task Every_answer_is_as_the_document_says_at_length() =>
        FuzzAsync(SeedOr(Random.Shared.Next()), rounds: 500);

    private static int SeedOr(int seed) =>
        Environment.GetEnvironmentVariable("BELLHOP_FUZZ_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture)
            : seed;

    private async Task FuzzAsync(int seed, int rounds)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"BELLHOP_FUZZ_SEED={seed}");
        var document = await ApiDocument.ReadAsync(service);
        var project = await service.NewProjectAsync();
        // a thousand odd events, sent to each endpoint that other requests made, would be a test of load
        var quiet = await service.NewProjectAsync();
        (await project.Http.PostAsync("/v1/queues", """{"name":"mail"}""")).Expect(HttpStatusCode.Created); // that of examples
        foreach (var group in document.Operations.GroupBy(Turn).OrderBy(group => group.Key))
        {
            await Parallel.ForEachAsync(
                group,
                new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = Token },
                async (operation, _) =>
                {
                    var own = seed ^ Stable(operation.ToString());
                    var home = project;
                    if (operation.Path.StartsWith("/v1/projects/", StringComparison.Ordinal))
                    {
                        // what is done to a project as a whole must not be done to the others'; the last owner may not leave it
                        home = await service.NewProjectAsync();
                        await TestUser.CreateAsync(service, home.Id);
                    }

                    var job = await ActsOnJob(operation, project);

                    // of its own: how many ids there are must not change what else is made
                    var choice = new Random(own);
                    var cases = new FuzzCases(
                        document,
                        operation,
                        new Random(own),
                        kind =>
                            kind == "projects" ? $"{home.Id}"
                            : kind == "jobs" && job is not null ? job
                            : Any(kind, choice),
                        project.Key
                    );
                    // of its own: signing out, and a new password, must not take from others what proves them
                    var account = IsOfUser(operation) ? await TestAccount.CreateAsync(service, home.Id) : null;
                    using var user = account?.SignedIn(await account.CookieAsync());
                    foreach (var one in cases.Valid())
                    {
                        var request = account is null ? one : Fit(one, account);
                        Learn(operation, await SendAsync(document, operation, request, user ?? project.Http));
                    }

                    foreach (var one in cases.Odd(rounds))
                    {
                        var request = account is null ? one : Fit(one, account);
                        var caller = user ?? (Causes(operation) ? quiet.Http : project.Http);
                        await SendAsync(document, operation, request, caller);
                    }

                    await RefuseAsync(document, operation);
                }
            );
        }

        Assert.True(_count > 40 * document.Operations.Count, $"{_count} requests");
        Assert.True(
            _faults.IsEmpty,
            $"BELLHOP_FUZZ_SEED={seed}: {_faults.Count} of {_count} answers\n{string.Join('\n', _faults.Order().Take(60))}"
        );
        // refusals alone would say little
        Assert.Equal([], document.Operations.Select(one => $"{one}").Except(_succeeded.Keys).Except(OfAMoment));
    }

    /// <summary>A job of its own, as what is done to it wants it, for the others are soon over; null: any will do.</summary>
    private static async Task<string?> ActsOnJob(Operation operation, TestProject project)
    {
        if (operation.Method != "POST" || !operation.Path.StartsWith("/v1/jobs/{id}/", StringComparison.Ordinal))
        {
            return null;
        }

        var job = await project.Http.PostAsync("/v1/jobs", """{"kind":"noop","run_at":"2090-01-01T00:00:00Z"}""");
        if (operation.Path.EndsWith("/retry", StringComparison.Ordinal))
        {
            (await project.Http.PostAsync($"/v1/jobs/{job.Id}/cancel", "{}")).Expect(HttpStatusCode.OK);
        }

        return $"{job.Id}";
    }

    /// <summary>Who has no key, or one of another role, is told so.</summary>
    private async Task RefuseAsync(ApiDocument document, Operation operation)
    {
        using var nobody = service.NewClient();
        using var stranger = service.NewClient("bh_0000000000000000000000000000000000000000000000000000");
        var request = new FuzzCase("without a key", operation.Path.Replace("{id}", $"{Story.Event}"));
        await SendAsync(document, operation, request, nobody);
        await SendAsync(document, operation, request with { Name = "with a key that is none" }, stranger);
    }

    /// <returns>The body, where it succeeded.</returns>
    private async Task<string?> SendAsync(ApiDocument document, Operation operation, FuzzCase one, HttpClient client)
    {
        Interlocked.Increment(ref _count);
        var watch = Stopwatch.StartNew();
        using var request = ToMessage(operation, one);
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        var body = await ReadAsync(answer);
        var faults = Faults(document, operation, answer, body).ToList();
        // whoever shares the machine may have had it for a moment
        // a claim waits as long as it is told to
        if (
            watch.Elapsed > Late
            && operation.Path != "/v1/jobs/claim"
            && await IsLateAgainAsync(operation, one, client)
        )
        {
            faults.Add($"took {watch.Elapsed.TotalSeconds:F1} s");
        }

        foreach (var fault in faults)
        {
            _faults.Add($"{operation}: {one.Name}: {fault}");
        }

        if (!answer.IsSuccessStatusCode)
        {
            return null;
        }

        _succeeded.TryAdd($"{operation}", true);
        return body;
    }

    // what makes something first, what takes it away last
    private static int Turn(Operation operation) =>
        operation.Method switch
        {
            "POST" when operation.Path.EndsWith("/revoke", StringComparison.Ordinal) => 6,
            "POST" => Causes(operation) || operation.Path.Contains("{id}", StringComparison.Ordinal) ? 1 : 0,
            "PUT" => 2,
            "GET" => operation.Path.Contains('{') ? 4 : 3,
            "PATCH" => 5,
            _ => 6,
        };

    private static bool IsOfUser(Operation operation) =>
        operation.IsForUsers || operation.Path.StartsWith("/v1/auth/", StringComparison.Ordinal);

    // whom the examples name is somebody here
    private static FuzzCase Fit(FuzzCase one, TestAccount account) =>
        one.Body is null
            ? one
            : one with
            {
                Body = Encoding.Latin1.GetBytes(
                    Encoding
                        .Latin1.GetString(one.Body)
                        .Replace(SignInDocument.Example.Email, account.Email, StringComparison.Ordinal)
                ),
            };

    private static bool Causes(Operation operation) =>
        operation is { Method: "POST", Path: Inbound or "/v1/events" or "/v1/events/batch" };

    private static HttpRequestMessage ToMessage(Operation operation, FuzzCase one)
    {
        var request = new HttpRequestMessage(new HttpMethod(operation.Method), one.Path);
        if (one.Body is not null)
        {
            request.Content = new ByteArrayContent(one.Body);
            if (operation.Path == Inbound)
            {
                Sign(request.Content, one.Body);
            }

            if (one.ContentType is not null)
            {
                request.Content.Headers.TryAddWithoutValidation("Content-Type", one.ContentType);
            }
        }

        foreach (var (name, value) in one.Headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content?.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return request;
    }

    // as the example of a source says, or nothing behind the signature would be reached
    private static void Sign(HttpContent content, byte[] body)
    {
        var key = Convert.FromBase64String(SourceDocument.Example.Secret!["whsec_".Length..]);
        var (id, now) = ($"{Guid.NewGuid()}", DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        content.Headers.Add("webhook-id", id);
        content.Headers.Add("webhook-timestamp", $"{now}");
        content.Headers.Add("webhook-signature", Signature.Sign(id, now, body, [key]));
    }

    // a stream goes on: its beginning says what it is
    private static async Task<string> ReadAsync(HttpResponseMessage answer)
    {
        if (answer.Content.Headers.ContentType?.MediaType != EventStream.ContentType)
        {
            return await answer.Content.ReadAsStringAsync(Token);
        }

        await using var stream = await answer.Content.ReadAsStreamAsync(Token);
        var buffer = new byte[1_024];
        return Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer, Token));
    }

    private static async Task<bool> IsLateAgainAsync(Operation operation, FuzzCase one, HttpClient client)
    {
        var watch = Stopwatch.StartNew();
        using var request = ToMessage(operation, one);
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        return watch.Elapsed > Late;
    }

    private static IEnumerable<string> Faults(
        ApiDocument document,
        Operation operation,
        HttpResponseMessage answer,
        string body
    )
    {
        var status = (int)answer.StatusCode;
        var type = answer.Content.Headers.ContentType?.MediaType;
        // one that is refused for being many is not looked at; but whoever guesses passwords is to be slowed down, and a client
        // that leaves a stream keeps its place for a moment
        if (
            status >= 500
            || (
                status == 429
                && !operation.Path.StartsWith("/v1/auth/", StringComparison.Ordinal)
                && operation.Path != "/v1/jobs/events"
            )
        )
        {
            yield return $"{status} {body}";
        }

        if (operation.Answer(status) is not { } declared)
        {
            yield return $"{status} is not declared: {Short(body)}";
            yield break;
        }

        // Kestrel itself refuses what is no request, and says nothing
        if (declared["content"] is not JsonObject content || (status == 400 && body.Length == 0))
        {
            if (body.Length > 0)
            {
                yield return $"{status} has a body: {Short(body)}";
            }

            yield break;
        }

        if (content[type ?? ""] is not { } media)
        {
            yield return $"{status} {type} is not declared: {Short(body)}";
            yield break;
        }

        if (type == EventStream.ContentType)
        {
            yield break;
        }

        var value = JsonNode.Parse(body, documentOptions: new JsonDocumentOptions { MaxDepth = 128 });
        foreach (var fault in document.Faults(media["schema"]!, value).Take(3))
        {
            yield return $"{status} {fault}: {Short(body)}";
        }

        if (media["examples"] is JsonObject codes && !codes.ContainsKey($"{value!["code"]}"))
        {
            yield return $"{status} {value["code"]} is not declared: {Short(body)}";
        }
    }

    private void Learn(Operation operation, string? body)
    {
        if (body?.StartsWith('{') != true || JsonNode.Parse(body) is not JsonObject answer)
        {
            return;
        }

        var kind = operation.Path.Split('/', StringSplitOptions.RemoveEmptyEntries).ElementAtOrDefault(1) ?? "";
        foreach (var item in (answer["items"]?.AsArray() ?? []).Append(answer))
        {
            if ((item!["id"] ?? item["name"])?.GetValueKind() == JsonValueKind.String)
            {
                _ids.GetOrAdd(kind, _ => []).Add($"{item["id"] ?? item["name"]}");
            }

            if (item["inbound_path"] is { } path)
            {
                _ids.GetOrAdd("{token}", _ => []).Add($"{path}".Split('/')[^1]);
            }
        }
    }

    private string? Any(string kind, Random random) =>
        _ids.TryGetValue(kind, out var known) && known.ToArray() is { Length: > 0 } all
            ? Uri.EscapeDataString(all[random.Next(all.Length)])
            : null;

    // the hash of a string differs from run to run
    private static int Stable(string text) =>
        text.Aggregate(17, (hash, character) => unchecked((hash * 31) + character));

    private static string Short(string body) => body[..Math.Min(body.Length, 300)];
}
