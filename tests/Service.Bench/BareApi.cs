using System.Reflection;
using Bellhop.Features.Events;
using Bellhop.Infrastructure.Http;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Bellhop.Bench;

/// <summary>What reading costs at the least: two minimal routes over the service's own statements, and no machinery.</summary>
public static class BareApi
{
    private static readonly string Find = Statement(typeof(GetEvent), "Find");
    private static readonly string Page = Statement(typeof(ListEvents), "All");

    /// <summary>Serves until its input ends; the first line of its output is its port.</summary>
    public static async Task<int> ServeAsync(string connectionString, Guid project)
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        await using var database = NpgsqlDataSource.Create(connectionString);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ConfigureHttpJsonOptions(options => JsonRules.Configure(options.SerializerOptions));
        await using var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapGet(
            "/v1/events/{id:guid}",
            async (Guid id, CancellationToken token) =>
            {
                await using var connection = await database.OpenConnectionAsync(token);
                var row = await connection.QuerySingleOrDefaultAsync<EventRow>(
                    new CommandDefinition(
                        Find,
                        new
                        {
                            ProjectId = project,
                            Id = id,
                            WithData = true,
                        },
                        cancellationToken: token
                    )
                );
                return row is null ? Results.NotFound() : Results.Ok(row.ToReceived(true));
            }
        );
        app.MapGet(
            "/v1/events",
            async (int limit, CancellationToken token) =>
            {
                await using var connection = await database.OpenConnectionAsync(token);
                var rows = await connection.QueryAsync<EventRow>(
                    new CommandDefinition(
                        Page,
                        new
                        {
                            ProjectId = project,
                            From = Guid.Empty,
                            Until = new Guid("ffffffff-ffff-ffff-ffff-ffffffffffff"),
                            Take = limit,
                            WithData = true,
                        },
                        cancellationToken: token
                    )
                );
                return Results.Ok(new { items = rows.Select(row => row.ToReceived(true)).ToArray() });
            }
        );
        await app.StartAsync();
        Console.WriteLine(new Uri(app.Urls.First()).Port);
        await Console.In.ReadToEndAsync();
        return 0;
    }

    private static string Statement(Type slice, string name) =>
        (string)
            slice
                .GetNestedType("Sql", BindingFlags.NonPublic)!
                .GetField(name, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static)!
                .GetRawConstantValue()!;
}
