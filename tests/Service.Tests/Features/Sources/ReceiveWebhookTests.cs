using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Features.Sources;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Sources;

public sealed class ReceiveWebhookTests(ServiceFixture service)
{
    private const string Secret = "a secret of ours";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_signed_webhook_is_an_event_of_its_source()
    {
        var project = await service.NewProjectAsync();
        var path = await MakeGitHubAsync(project);

        using var answer = await SendAsync(
            path,
            GitHubSchemeTests.Signed("""{"action":"opened","n": 1.0}""", key: Key)
        );

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        var taken = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.False(taken.GetProperty("duplicate").GetBoolean());
        var shown = (await project.SendAsync(new GetEvent.Query(taken.GetProperty("id").GetGuid()))).Unwrap().Event;
        Assert.Equal(
            new CloudEvent(
                "72d3162e-cc78-11e3-81ab-4c9367dc0958",
                "hub",
                "github.issues.opened",
                null,
                null,
                null,
                """{"action":"opened","n": 1.0}"""
            ),
            shown
        );
    }

    [Fact]
    public async Task A_repeated_webhook_is_answered_2xx_and_makes_no_second_event()
    {
        var project = await service.NewProjectAsync();
        var path = await MakeGitHubAsync(project);
        var request = GitHubSchemeTests.Signed("{}", key: Key);

        var first = await ReadAsync(await SendAsync(path, request));
        using var second = await SendAsync(path, request);

        Assert.Equal(HttpStatusCode.Accepted, second.StatusCode);
        var again = await ReadAsync(second);
        Assert.True(again.GetProperty("duplicate").GetBoolean());
        Assert.Equal(first.GetProperty("id").GetGuid(), again.GetProperty("id").GetGuid());
    }

    [Fact]
    public async Task A_standard_webhook_carries_type_and_data_in_its_body()
    {
        var project = await service.NewProjectAsync();
        var secret = "whsec_" + Convert.ToBase64String(new byte[32]);
        var made = (
            await project.SendAsync(new CreateSource.Command(new SourceDocument("std", "standard-webhooks", secret)))
        ).Unwrap();
        var request = StandardWebhooksSchemeTests.Signed(
            """{"type":"user.created","timestamp":"2026-01-31T09:30:00Z","data":{"a":1}}""",
            "msg_1",
            TimeProvider.System.GetUtcNow(),
            new byte[32]
        );

        var taken = await ReadAsync(await SendAsync(made.InboundPath, request));

        var shown = (await project.SendAsync(new GetEvent.Query(taken.GetProperty("id").GetGuid()))).Unwrap().Event;
        Assert.Equal(("msg_1", "std", "user.created"), (shown.Id, shown.Source, shown.Type));
        Assert.Equal("""{"a":1}""", shown.Data);
    }

    [Fact]
    public async Task A_bad_signature_is_401_and_an_unknown_path_404()
    {
        var project = await service.NewProjectAsync();
        var path = await MakeGitHubAsync(project);
        var request = GitHubSchemeTests.Signed("{}", key: "not the secret"u8.ToArray());

        using var bad = await SendAsync(path, request);
        using var unknown = await SendAsync("/in/" + new string('a', SourceCache.TokenLength), request);
        using var misshapen = await SendAsync("/in/x", request);

        Assert.Equal(HttpStatusCode.Unauthorized, bad.StatusCode);
        Assert.Equal("bad_signature", (await ReadAsync(bad)).GetProperty("code").GetString());
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, misshapen.StatusCode);
    }

    [Fact]
    public async Task A_signature_that_stands_twice_is_401_and_an_id_that_does_is_422()
    {
        var project = await service.NewProjectAsync();
        var path = await MakeGitHubAsync(project);

        foreach (var (header, status) in new[] { ("X-Hub-Signature-256", 401), ("X-GitHub-Delivery", 422) })
        {
            var request = GitHubSchemeTests.Signed("{}", key: Key);
            var value = request.Headers[header].ToString();
            request.Headers[header] = new([value, value]);
            using var answer = await SendAsync(path, request);

            Assert.Equal(status, (int)answer.StatusCode);
        }
    }

    [Fact]
    public async Task A_signed_webhook_without_an_id_is_422_and_names_the_header()
    {
        var project = await service.NewProjectAsync();
        var request = GitHubSchemeTests.Signed("{}", key: Key);
        request.Headers.Remove("X-GitHub-Delivery");

        using var answer = await SendAsync(await MakeGitHubAsync(project), request);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        var error = (await ReadAsync(answer)).GetProperty("errors")[0];
        Assert.Equal("X-GitHub-Delivery", error.GetProperty("header").GetString());
    }

    [Fact]
    public async Task A_body_of_5_MiB_is_taken_and_a_larger_one_is_413()
    {
        var project = await service.NewProjectAsync();
        var path = await MakeGitHubAsync(project);

        using var most = await SendAsync(path, GitHubSchemeTests.Signed(Of(5 * 1024 * 1024), key: Key));
        using var more = await SendAsync(path, GitHubSchemeTests.Signed(Of((5 * 1024 * 1024) + 1), key: Key));

        Assert.Equal(HttpStatusCode.Accepted, most.StatusCode);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, more.StatusCode);

        static string Of(int bytes) => $"\"{new string('x', bytes - 2)}\"";
    }

    [Fact]
    public async Task A_signed_body_that_is_no_event_is_refused_and_kept()
    {
        var project = await service.NewProjectAsync();
        var path = await MakeGitHubAsync(project);

        using var answer = await SendAsync(path, GitHubSchemeTests.Signed("""{"a":1,"a":2}""", key: Key));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var kept = await project.Http.GetFromJsonAsync<JsonElement>("/v1/sources/hub/rejections", Token);
        Assert.Equal("malformed_body", kept.GetProperty("items")[0].GetProperty("reason").GetString());
    }

    private static byte[] Key => Encoding.UTF8.GetBytes(Secret);

    private static async Task<string> MakeGitHubAsync(TestProject project) =>
        (await project.SendAsync(new CreateSource.Command(new SourceDocument("hub", "github", Secret))))
            .Unwrap()
            .InboundPath;

    private async Task<HttpResponseMessage> SendAsync(string path, InboundRequest request)
    {
        using var http = service.NewClient();
        return await http.SendAsync(Message(path, request), Token);
    }

    internal static HttpRequestMessage Message(string path, InboundRequest request)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new ByteArrayContent(request.Body.ToArray()),
        };
        foreach (var (name, values) in request.Headers)
        {
            foreach (var value in values)
            {
                if (!message.Headers.TryAddWithoutValidation(name, value))
                {
                    message.Content.Headers.TryAddWithoutValidation(name, value);
                }
            }
        }

        return message;
    }

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage answer) =>
        await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
}
