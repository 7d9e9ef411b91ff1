using Bellhop.Features.Connections;
using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Outgoing;
using Bellhop.Infrastructure.Secrets;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace Bellhop.Tests.Features.Connections;

public sealed class ConnectionCacheTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_another_process_changed_is_seen_after_five_seconds()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("mine", TestConnections.Sound["llm"]);
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var of = service.Services;
        var cache = new ConnectionCache( // as that of the other process
            service.Database,
            of.GetRequiredService<NamedSecrets>(),
            of.GetRequiredService<SecretBox>(),
            of.GetRequiredService<OutgoingClient>(),
            clock
        );
        var seen = new List<string?> { await ModelAsync() };

        await project.Http.ChangeAsync(
            "PATCH",
            $"{TestConnections.Path}/mine",
            """{"config":{"model":"large"}}""",
            "*"
        );
        clock.Advance(TimeSpan.FromSeconds(4.9));
        seen.Add(await ModelAsync());
        clock.Advance(TimeSpan.FromSeconds(0.1));
        seen.Add(await ModelAsync());
        await project.Http.ChangeAsync("DELETE", $"{TestConnections.Path}/mine", ifMatch: "*");
        clock.Advance(TimeSpan.FromSeconds(5));
        seen.Add(await ModelAsync());

        Assert.Equal(["small", "small", "large", null], seen);

        async Task<string?> ModelAsync() =>
            ((LlmConfig?)(await cache.FindAsync(project.Id, "mine", Token))?.Config)?.Model;
    }

    [Fact]
    public async Task A_secret_that_was_moved_to_another_row_does_not_open()
    {
        var project = await service.NewProjectAsync();
        await project.MakeAsync("mine", TestConnections.Sound["s3"]);
        await project.MakeAsync("yours", TestConnections.Sound["s3"]);
        await using var connection = await service.Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(
            """
            UPDATE connections SET secret = (SELECT secret FROM connections WHERE project_id = @Id AND name = 'mine')
            WHERE project_id = @Id AND name = 'yours'
            """.With(new { project.Id }, Token)
        );

        var cache = service.Services.GetRequiredService<ConnectionCache>();

        await Assert.ThrowsAsync<SealedValueException>(async () => await cache.FindAsync(project.Id, "yours", Token));
        Assert.Equal("s", (await cache.FindAsync(project.Id, "mine", Token))!.Secret);
    }

    [Fact]
    public async Task Names_lead_to_the_connections_of_the_project_alone()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var made = await project.MakeAsync("mail", TestConnections.Sound["smtp"]);
        await other.MakeAsync("crm", TestConnections.Sound["http"]);
        await using var connection = await service.Database.OpenConnectionAsync(Token);

        var caller = new Caller();
        caller.Become(Identity.Internal(project.Id, "test"));

        var names = await service.Services.GetRequiredService<ConnectionNames>().NamesAsync(connection, caller, Token);

        Assert.Equal([new("mail", (made.Id, "smtp"))], names);
    }
}
