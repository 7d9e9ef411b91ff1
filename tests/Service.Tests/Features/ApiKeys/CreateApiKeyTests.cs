using System.Text.Json;
using Bellhop.Features.ApiKeys;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.ApiKeys;

public sealed class CreateApiKeyTests(ServiceFixture service)
{
    [Fact]
    public async Task A_key_is_shown_once_and_expires_as_asked()
    {
        var project = await service.NewProjectAsync();

        var made = (await project.SendAsync(new CreateApiKey.Command("tour", "viewer", ["events:read"], 30))).Unwrap();

        Assert.Equal(made.Id, ApiKey.Parse(made.Key)!.RowId);
        Assert.Equal(("tour", "viewer"), (made.Name, made.Role));
        Assert.Equal(["events:read"], made.Scopes!);
        Assert.InRange((made.ExpiresAt - TimeProvider.System.GetUtcNow().UtcDateTime).TotalDays, 29.9, 30);
    }

    [Fact]
    public async Task A_name_is_given_once_in_a_project()
    {
        var project = await service.NewProjectAsync();
        var command = new CreateApiKey.Command("tour", "viewer", null, 1);
        (await project.SendAsync(command)).Unwrap();

        Assert.Equal("name_taken", (await project.SendAsync(command)).Problem?.Kind.Code);
        Assert.Null((await (await service.NewProjectAsync()).SendAsync(command)).Problem);
    }

    [Theory]
    [InlineData("", "viewer", null, 1, "/name")]
    [InlineData("x", "king", null, 1, "/role")]
    [InlineData("x", "viewer", "events:reed", 1, "/scopes/0")]
    [InlineData("x", "viewer", null, 0, "/expires_days")]
    public async Task What_is_not_valid_is_named(string name, string role, string? scope, int days, string pointer)
    {
        var project = await service.NewProjectAsync();
        var command = new CreateApiKey.Command(name, role, scope is null ? null : [scope], days);

        var problem = (await project.SendAsync(command)).Problem;

        Assert.Equal("invalid", problem?.Kind.Code);
        Assert.Equal(pointer, problem!.Errors[0].Pointer);
    }

    [Fact]
    public async Task The_command_prints_a_key_that_the_service_takes()
    {
        var project = await service.NewProjectAsync();

        var run = await CliProcess.RunAsync(
            CliProcess.On(service),
            ["api-keys", "create", "--name", "cli", "--role", "owner", "--project", project.Name, "--json"]
        );

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        using var made = JsonDocument.Parse(run.Output);
        using var client = service.NewClient(made.RootElement.GetProperty("key").GetString());
        using var answer = await client.GetAsync("/v1/events", TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode);
    }
}
