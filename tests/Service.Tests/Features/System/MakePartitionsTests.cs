using Bellhop.Features.System;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.System;

public sealed class MakePartitionsTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_day_that_lacks_its_partition_gets_one()
    {
        await using var own = await OwnService.StartAsync(service);
        var name = new NpgsqlConnectionStringBuilder(own.Database.ConnectionString).Database;
        var owner = new NpgsqlConnectionStringBuilder(service.OwnerConnectionString) { Database = name };
        await using var database = NpgsqlDataSource.Create(Databases.ForOwner(owner.ConnectionString));
        await using var connection = await database.OpenConnectionAsync(Token);
        var last = await connection.QuerySingleAsync<string>(
            "SELECT max(relname)::text FROM pg_class WHERE relname ~ '^events_2[0-9]{7}$'".With(null, Token)
        );
        await connection.ExecuteAsync($"DROP TABLE {last}".With(null, Token));

        var report = await SendAsync(own);

        Assert.Equal((1, 0L), (report.Made, report.Strays));
        Assert.Equal(0, (await SendAsync(own)).Made);
        await own.StopAsync();
    }

    private static async Task<MakePartitions.Report> SendAsync(OwnService own)
    {
        await using var scope = own.Services.CreateAsyncScope();
        var mediator = scope.ServiceProvider.GetRequiredService<IMediator>();
        return (await mediator.Send(new MakePartitions.Command(), Token)).Unwrap();
    }
}
