using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Events;

public sealed class PublishEventTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_is_taken_and_shown_as_it_was_sent()
    {
        var project = await service.NewProjectAsync();

        using var answer = await PostAsync(
            project.Http,
            """{"type":"ticket.created","source":"shop","id":"7","subject":"42","time":"2026-01-31T09:30:00.25Z","data":{"price": 1.50}}"""
        );

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        var taken = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
        Assert.False(taken.GetProperty("duplicate").GetBoolean());
        var id = taken.GetProperty("id").GetGuid();
        Assert.Equal($"/v1/events/{id}", answer.Headers.Location?.ToString());
        var shown = await project.Http.GetStringAsync($"/v1/events/{id}", Token);
        Assert.Contains(
            """{"specversion":"1.0","id":"7","source":"shop","type":"ticket.created","subject":"42","time":"2026-01-31T09:30:00.25Z","data":{"price": 1.50}}""",
            shown,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Sent_again_it_is_the_same_event_and_with_other_content_it_is_a_conflict()
    {
        var project = await service.NewProjectAsync();
        const string Sent = """{"type":"t","source":"s","id":"1","data":{"a":1}}""";

        var first = await ReadAsync(await PostAsync(project.Http, Sent));
        var second = await ReadAsync(await PostAsync(project.Http, Sent));
        using var other = await PostAsync(project.Http, Sent.Replace("\"a\":1", "\"a\":2", StringComparison.Ordinal));

        Assert.True(second.GetProperty("duplicate").GetBoolean());
        Assert.Equal(first.GetProperty("id").GetGuid(), second.GetProperty("id").GetGuid());
        Assert.Equal(HttpStatusCode.Conflict, other.StatusCode);
        Assert.Equal("event_conflict", (await ReadAsync(other)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Nobody_publishes_under_the_source_of_an_automation()
    {
        var project = await service.NewProjectAsync();

        using var answer = await PostAsync(project.Http, """{"type":"t","source":"automations/triage","id":"1"}""");

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        Assert.Equal("/source", (await ReadAsync(answer)).GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Fact]
    public async Task A_body_packed_otherwise_than_by_gzip_is_415()
    {
        var project = await service.NewProjectAsync();
        using var content = new StringContent("""{"type":"t","source":"s"}""", Encoding.UTF8, "application/json");
        content.Headers.ContentEncoding.Add("br");

        using var answer = await project.Http.PostAsync("/v1/events", content, Token);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
    }

    [Fact]
    public async Task Structured_and_binary_cloud_events_are_taken()
    {
        var project = await service.NewProjectAsync();

        using var structured = await PostAsync(
            project.Http,
            """{"specversion":"1.0","type":"t","source":"s","id":"1","partitionkey":"k","data":1}""",
            "application/cloudevents+json"
        );
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/events");
        request.Content = new ByteArrayContent([0, 1, 2]);
        request.Content.Headers.ContentType = new("image/png");
        request.Headers.Add("ce-specversion", "1.0");
        request.Headers.Add("ce-id", "2");
        request.Headers.Add("ce-source", "s");
        request.Headers.Add("ce-type", "t");
        using var binary = await project.Http.SendAsync(request, Token);

        Assert.Equal(HttpStatusCode.Accepted, structured.StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, binary.StatusCode);
        var id = (await ReadAsync(binary)).GetProperty("id").GetGuid();
        var shown = (await project.SendAsync(new GetEvent.Query(id))).Unwrap();
        Assert.Equal("""{"datacontenttype":"image/png","data_base64":"AAEC"}""", shown.Event.Attributes);
    }

    [Theory]
    [InlineData("""{"type":"t","source":"s","colour":"red"}""", "application/json", 400, "malformed_body")]
    [InlineData("""{"type":"t"}""", "application/json", 422, "invalid")]
    [InlineData("{}", "text/plain", 415, "unsupported_media_type")]
    [InlineData("[]", "application/cloudevents-batch+json", 415, "unsupported_media_type")]
    public async Task What_is_no_event_is_refused(string body, string contentType, int status, string code)
    {
        var project = await service.NewProjectAsync();

        using var answer = await PostAsync(project.Http, body, contentType);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(code, (await ReadAsync(answer)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task It_takes_the_permission_to_publish()
    {
        var project = await service.NewProjectAsync();
        await project.UseKeyAsync("viewer");

        using var answer = await PostAsync(project.Http, """{"type":"t","source":"s"}""");

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    [Fact]
    public async Task The_data_of_an_event_needs_the_permission_to_read_data()
    {
        var project = await service.NewProjectAsync();
        var id = (await ReadAsync(await PostAsync(project.Http, """{"type":"t","source":"s","data":"private"}""")))
            .GetProperty("id")
            .GetGuid();
        await project.UseKeyAsync(Roles.Owner, Permissions.EventsRead);

        var one = await project.Http.GetStringAsync($"/v1/events/{id}", Token);
        var list = await project.Http.GetStringAsync("/v1/events", Token);

        Assert.DoesNotContain("private", one + list, StringComparison.Ordinal);
        Assert.Contains($"{id}", one, StringComparison.Ordinal);
        Assert.Contains($"{id}", list, StringComparison.Ordinal);
    }

    private static Task<HttpResponseMessage> PostAsync(
        HttpClient http,
        string body,
        string contentType = "application/json"
    )
    {
        var content = new StringContent(body, Encoding.UTF8, contentType);
        return http.PostAsync(new Uri("/v1/events", UriKind.Relative), content, Token);
    }

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage answer) =>
        await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
}
