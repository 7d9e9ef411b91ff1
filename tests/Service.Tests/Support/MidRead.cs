using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>Commits a change between two statements of one request, on a database that nobody else uses.</summary>
public static class MidRead
{
    private const string SomebodyWaits = """
        SELECT EXISTS (
            SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        )
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What the request answers when the change is committed just before it reads the table, and what it answers afterwards.</summary>
    /// <param name="given">Rows that are there from the start; it is run with <c>@ProjectId</c> and <c>@Id</c>, as the change is.</param>
    public static async Task<(T During, T After)> AskAsync<T>(
        ServiceFixture service,
        Func<Guid, IRequest<Result<T>>> request,
        string table,
        string given,
        string change
    )
    {
        await using var own = await OwnService.StartAsync(service);
        await own.StopAsync(); // its own work would wait for the lock as well
        await using var owner = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(own.OwnerConnectionString)
            {
                Options = "-c search_path=bellhop",
            }.ConnectionString
        );
        await using var watcher = await owner.OpenConnectionAsync(Token);
        var arguments = new { own.ProjectId, Id = Guid.CreateVersion7() };
        await watcher.ExecuteAsync(given.With(arguments, Token));
        await using var changer = await owner.OpenConnectionAsync(Token);
        await using var transaction = await changer.BeginTransactionAsync(Token);
        await changer.ExecuteAsync($"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".With(null, Token));

        var reading = SendAsync(own, request(arguments.Id));
        await Eventually.BeTrueAsync(
            () => watcher.QuerySingleAsync<bool>(SomebodyWaits.With(null, Token)),
            $"the request waits for {table}"
        );
        await changer.ExecuteAsync(change.With(arguments, Token));
        await transaction.CommitAsync(Token);

        return (await reading, await SendAsync(own, request(arguments.Id)));
    }

    private static async Task<T> SendAsync<T>(OwnService own, IRequest<Result<T>> request)
    {
        await using var scope = own.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(own.ProjectId, "test"));
        return (await scope.ServiceProvider.GetRequiredService<IMediator>().Send(request, Token)).Unwrap();
    }
}
