using Bellhop.Features.Events;
using Bellhop.Features.Webhooks;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class SenderTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stopping_process_finishes_what_it_began_and_gives_back_the_rest()
    {
        var release = new TaskCompletionSource();
        await using var receiver = await Receiver.StartAsync(
            async (_, _) =>
            {
                await release.Task;
                return Results.NoContent();
            }
        );
        await using var own = await OwnService.StartAsync(service, shutdownGraceSeconds: 20);
        await CreateAsync(own, receiver.Url);
        await PublishAsync(own, 5);
        await Eventually.FitAsync(() => Task.FromResult(receiver.Received.Count), count => count == 1);

        var stopping = own.StopAsync();

        await Eventually.FitAsync(() => CountAsync(own, "pending", 0), count => count == 4);
        release.SetResult();
        await stopping;
        Assert.Equal(1, await CountAsync(own, "succeeded", 1));
        Assert.Equal(4, await CountAsync(own, "pending", 0));
        Assert.Single(receiver.Received);
    }

    [Fact]
    public async Task What_is_given_up_at_the_end_of_the_grace_stays_with_its_sender()
    {
        var release = new TaskCompletionSource();
        await using var receiver = await Receiver.StartAsync(
            async (_, _) =>
            {
                await release.Task;
                return Results.NoContent();
            }
        );
        await using var own = await OwnService.StartAsync(service);
        await CreateAsync(own, receiver.Url);
        await PublishAsync(own, 3);
        await Eventually.FitAsync(() => Task.FromResult(receiver.Received.Count), count => count == 1);

        await own.StopAsync();

        Assert.Equal(1, await CountAsync(own, "sending", 1));
        Assert.Equal(2, await CountAsync(own, "pending", 0));
        release.SetResult();
    }

    private static async Task CreateAsync(OwnService own, string url)
    {
        await using var scope = own.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(own.ProjectId, "test"));
        var command = new CreateWebhookEndpoint.Command(new EndpointDocument("shop", url, ["*"], Concurrency: 1));
        Assert.Null((await scope.ServiceProvider.GetRequiredService<IMediator>().Send(command, Token)).Problem);
    }

    private static async Task PublishAsync(OwnService own, int count)
    {
        var events = Enumerable
            .Range(0, count)
            .Select(number => new NewEvent
            {
                ProjectId = own.ProjectId,
                Id = Guid.CreateVersion7(),
                ReceivedAt = TimeProvider.System.GetUtcNow().UtcDateTime,
                Source = "shop",
                EventId = $"{number}",
                Type = "order.paid",
            });
        Assert.Null((await own.Services.GetRequiredService<EventLog>().PublishAsync([.. events], Token)).Problem);
    }

    private static async Task<int> CountAsync(OwnService own, string state, int attempts)
    {
        const string Count = """
            SELECT count(*)::integer FROM deliveries WHERE project_id = @ProjectId AND state = @state AND attempts = @attempts
            """;
        await using var connection = await own.Database.OpenConnectionAsync(Token);
        return await connection.QuerySingleAsync<int>(
            Count.With(
                new
                {
                    own.ProjectId,
                    state,
                    attempts,
                },
                Token
            )
        );
    }
}
